"""No module of the package reads pickles, because a pickle from an untrusted source can run any code."""

import ast

import pytest

from .test_layers import FILES, ROOT

FORBIDDEN_MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal"}
FORBIDDEN_NAMES = {"Memory", "read_pickle", "check_memory"}
# Pickles that a process sends to the processes that it starts. No file is read.
EXEMPT = {ROOT / "embeddings" / "_module_engine.py": {"pickle", "pickle.loads"}}


def pickle_readers(source):
    """Yield the names in a source that read pickles, or could read pickles."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[0]
            names = {alias.name for alias in node.names}
            if not node.level and module in FORBIDDEN_MODULES:
                yield module
            elif module in ("joblib", "sklearn", "pandas", "torch", "numpy") and names & (
                FORBIDDEN_NAMES | {"load"}
            ):
                yield f"from {node.module} import {', '.join(sorted(names))}"
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_NAMES:
            yield node.attr
        elif isinstance(node, ast.Call):
            yield from _unsafe_call(node)


# Required option of every call, with its required value.
REQUIRED = {
    "torch.load": ("weights_only", "True"),
    "np.load": ("allow_pickle", "False"),
    "numpy.load": ("allow_pickle", "False"),
}
ALLOWED = {"allow_pickle": "False", "trust_remote_code": "False"}


def _unsafe_call(node):
    name = ast.unparse(node.func)
    options = {option.arg: ast.unparse(option.value) for option in node.keywords if option.arg}
    option, value = REQUIRED.get(name, (None, None))
    unsafe = [key for key in options if key in ALLOWED and options[key] != ALLOWED[key]]
    if name in ("pickle.load", "pickle.loads", "joblib.load") or options.get(option) != value or unsafe:
        yield name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_reads_no_pickle(path):
    found = set(pickle_readers(path.read_text(encoding="utf-8")))
    assert found - EXEMPT.get(path, set()) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from cloudpickle import loads",
        "import joblib\njoblib.load(path)",
        "from joblib import Memory, Parallel",
        "import joblib\nmemory = joblib.Memory(path)",
        "from sklearn.utils.validation import check_memory",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "read_array(file, allow_pickle=maybe)",
        "import pandas\npandas.read_pickle(path)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True)",
    ],
)
def test_a_source_that_reads_pickles_is_found(source):
    assert len(list(pickle_readers(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "from joblib import Parallel\nimport json\njson.load(file)",
        "from ._cache import check_memory",
    ],
)
def test_a_source_that_reads_no_pickles_is_not_found(source):
    assert list(pickle_readers(source)) == []
