# Every target installs the packages that the target needs in .venv. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-oldest coverage lint bench docs docs-pages linkcheck clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

# A stamp that is newer than pyproject.toml says that the environment holds all packages of pyproject.toml.
$(VENV)/.dev-stamp: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "skaudio_ad needs Python 3.11 or newer, but this is Python " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/.bench-stamp: $(VENV)/.dev-stamp
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[dev,bench]'
	touch $@

$(VENV)/.docs-stamp: $(VENV)/.dev-stamp
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[dev,docs]'
	touch $@

setup: $(VENV)/.dev-stamp  ## Make .venv with the package, its reference implementations and the tools

demo: $(VENV)/.dev-stamp  ## Generate machine sounds, train on the normal ones, score, draw (offline, minutes)
	$(BIN)/skaudio-ad demo --output demo_output

test: $(VENV)/.dev-stamp  ## Run the tests (offline; those on real recordings need SKAUDIO_AD_DATA)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

# An environment of its own holds the lowest versions that pyproject.toml allows.
OLDEST := .venv-oldest
$(OLDEST)/.stamp: pyproject.toml tests/lowest_versions.py
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(PYTHON) tests/lowest_versions.py pyproject.toml > $(OLDEST)/lowest.txt
	$(OLDEST)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint $(OLDEST)/lowest.txt --editable . 'pandas>=2.2' 'pytest>=8.2' 'pytest-xdist>=3.6'
	touch $@

test-oldest: $(OLDEST)/.stamp  ## Run the tests with the lowest versions that pyproject.toml allows
	$(OLDEST)/bin/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

coverage: $(VENV)/.dev-stamp  ## Run the tests and report the lines that no test runs
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term --cov-report=html $(PYTEST_ARGS)

lint: $(VENV)/.dev-stamp  ## ruff, mypy, codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

bench: $(VENV)/.bench-stamp  ## Run every benchmark; tables land in benchmarks/results
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs-stamp  ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

docs-pages: $(VENV)/.docs-stamp  ## Build the documentation without running the examples
	$(BIN)/sphinx-build -W -b html -D plot_gallery=0 docs docs/_build/html

linkcheck: $(VENV)/.docs-stamp  ## Ask the servers of all links in the documentation
	$(BIN)/sphinx-build -W -b linkcheck -D plot_gallery=0 docs docs/_build/linkcheck

clean:  ## Remove the environment and everything built
	rm -rf $(VENV) $(OLDEST) build dist htmlcov .coverage demo_output docs/_build docs/auto_examples docs/generated docs/sg_execution_times.rst benchmarks/results *.egg-info
