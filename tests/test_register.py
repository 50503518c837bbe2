"""One register: a public name is exported and documented, and an estimator is under scikit-learn's checks."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import skaudio_ad

from . import instances
from .instances import MODULES, PARAMETERS, STAND_INS, SUBPACKAGES, UNCHECKED, exports, public_estimators

REFERENCE = Path(__file__).parent.parent / "docs" / "api.md"


def missing_places(package, estimator, *, exports, reference, checked):
    """What to add for an estimator, one line each; empty where nothing is missing."""
    name = estimator.__name__
    lines = []
    if exports.get(name) != package:
        lines.append(f"skaudio_ad/__init__.pyi: add from .{package} import {name} as {name}")
    if f"{package}.{name}" not in reference:
        lines.append(f"docs/api.md: add {package}.{name} to a list of autosummary")
    if name not in checked:
        lines.append(
            f"tests/instances.py: {name} is in UNCHECKED or yields no instance; add parameters to PARAMETERS"
        )
    return lines


def documented():
    """Names in the lists of the reference, such as ``audio.AudioClips``."""
    return set(re.findall(r"^ {3}([\w.]+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE))


def checked():
    stand_ins = {stand_in: name for name, stand_in in STAND_INS.items()}
    return {stand_ins.get(type(e), type(e).__name__) for e in instances.instances()}


@pytest.mark.parametrize(
    ("package", "estimator"), public_estimators(), ids=lambda part: getattr(part, "__name__", part)
)
def test_a_public_estimator_is_exported_documented_and_checked(package, estimator):
    missing = missing_places(
        package,
        estimator,
        exports=exports(),
        reference=documented(),
        checked=checked() | set(UNCHECKED),
    )
    assert not missing, f"{estimator.__name__} is public, but not registered. " + "; ".join(missing)


def test_a_detector_that_is_in_all_alone_is_told_what_to_add():
    class LonelyDetector:
        pass

    missing = missing_places(
        "detectors", LonelyDetector, exports=exports(), reference=documented(), checked=checked()
    )
    assert [line.split(":")[0] for line in missing] == [
        "skaudio_ad/__init__.pyi",
        "docs/api.md",
        "tests/instances.py",
    ]


@pytest.mark.parametrize("package", [*SUBPACKAGES, *MODULES])
def test_every_public_name_is_in_the_reference(package):
    names = {f"{package}.{name}" for name in import_module(f"skaudio_ad.{package}").__all__}
    missing = sorted(names - documented())
    assert not missing, f"docs/api.md lacks {', '.join(missing)}: add each to a list of autosummary"


def test_every_name_in_the_reference_exists():
    for name in documented():
        *path, last = name.split(".")
        module = import_module(".".join(["skaudio_ad", *path]))
        assert hasattr(module, last), f"docs/api.md lists {name}, which does not exist"


def test_the_subpackages_of_the_root_are_those_in_the_folder():
    assert set(skaudio_ad.__all__) - set(exports()) == {*SUBPACKAGES, *MODULES}


def test_the_entries_of_the_instance_generator_name_public_estimators():
    public = {estimator.__name__ for _, estimator in public_estimators()}
    for entries in (PARAMETERS, STAND_INS, UNCHECKED):
        assert set(entries) <= public


@pytest.mark.parametrize("package", [*SUBPACKAGES, *MODULES])
def test_every_public_class_and_function_has_a_docstring(package):
    module = import_module(f"skaudio_ad.{package}")
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{package}.{name} has no docstring"
