"""Tests of the floors: a file imports only from floors below its own."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import skaudio_ad

from .instances import exports

ROOT = Path(skaudio_ad.__file__).parent
FLOORS = {
    "_clip_errors": -3,
    "_stream": -2,
    "_lazy": -1,
    "_typing": -2,
    "_archive": 0,
    "_doc_links": -1,
    "_atomic": -1,
    "_checks": 0,
    "_checksums": 0,
    "_csv_text": 0,
    "_download": 0,
    "_file_names": 0,
    "_json": 0,
    "_labels": 0,
    "_librosa": 0,
    "_media_fragments": -1,
    "_clip_calls": 0,
    "_input_checks": 0,
    "_output": 0,
    "_p_values": 0,
    "_pandas": 0,
    "_path_groups": 0,
    "_path_tables": 0,
    "_progress": 0,
    "_shrinkage": 0,
    "_splits": 0,
    "_time_statistics": 0,
    "_versions": 0,
    "_base": 1,
    "audio": 1,
    "metrics": 1,
    "networks": 1,
    "training": 1,
    "datasets": 2,
    "detectors": 2,
    "embeddings": 2,
    "features": 2,
    "model_selection": 2,
    "thresholds": 2,
    "recordings": 3,
    "inspection": 4,
    "presets": 4,
    "persistence": 5,
    "report": 5,
    "monitoring": 6,
    "cli": 7,
}
# Files and folders that need no torch.
LIGHT = ("audio", "features", "_checks.py", "_input_checks.py", "_lazy.py", "_stream.py")
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def _imports(path):
    """Yield the modules that a file imports, also inside functions."""
    package = path.relative_to(ROOT.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "skaudio_ad":
                for alias in node.names:
                    yield f"skaudio_ad.{alias.name}"
            else:
                yield module


def _unit(module):
    return module.split(".")[1] if module.startswith("skaudio_ad.") else None


def test_every_module_has_a_floor():
    units = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES}
    assert units == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_floors_below(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for module in _imports(path):
        assert module != "skaudio_ad", f"{path.name} imports the package root"
        other = _unit(module)
        if other is not None and other != own:
            assert FLOORS[other] < FLOORS[own], (
                f"{own} (floor {FLOORS[own]}) imports {other} (floor {FLOORS[other]})"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_reference_implementations_unless_asked_to_run_one(path):
    if path == ROOT / "embeddings" / "families" / "_hear21passt.py":
        return  # runtime="hear21passt" needs an optional package
    roots = {module.split(".")[0] for module in _imports(path)}
    assert not roots & {"torchaudio", "hear21passt", "timm", "torchvision"}


def _loaded_by(*modules):
    """Return the packages that a fresh process has loaded after the import of modules."""
    code = f"import sys, {', '.join(modules)}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_audio_and_features_import_no_torch_anywhere():
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in LIGHT:
            assert "torch" not in {module.split(".")[0] for module in _imports(path)}, path


def test_networks_import_no_scikit_learn_anywhere():
    for path in (ROOT / "networks").glob("*.py"):
        assert "sklearn" not in {module.split(".")[0] for module in _imports(path)}, path


@pytest.mark.parametrize(
    ("units", "heavy"), [(["networks"], "sklearn"), (["audio", "features"], "torch")], ids=str
)
def test_importing_subpackages_loads_no_heavy_package_that_they_do_not_need(units, heavy):
    loaded = _loaded_by(*(f"skaudio_ad.{unit}" for unit in units))
    assert "skaudio_ad" in loaded
    assert heavy not in loaded


def test_there_is_one_training_loop():
    calls = [
        path
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "backward"
    ]
    assert calls == [ROOT / "training" / "_loop.py"]


def test_every_public_name_is_importable_from_the_root_and_its_subpackage():
    for name, unit in exports().items():
        subpackage = importlib.import_module(f"skaudio_ad.{unit}")
        assert name in subpackage.__all__, name
        assert getattr(skaudio_ad, name) is getattr(subpackage, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute Autoencoder"):
        skaudio_ad.Autoencoder  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    assert not _loaded_by("skaudio_ad") & {"torch", "librosa", "matplotlib", "sklearn", "scipy"}
