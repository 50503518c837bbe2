"""Audio anomaly detection on pretrained embeddings, the scikit-learn way.

Estimators, `make_detector` and `show_versions` are importable from here, other functions and data sets from their
subpackages.
Nothing heavy is imported before it is used, because importing torch takes longer than everything else together.
The names are listed in ``__init__.pyi``.
"""

import lazy_loader

_get_lazily, _list_names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    if name == "__version__":
        from importlib.metadata import version

        return version("skaudio_ad")
    return _get_lazily(name)


def __dir__():
    return sorted([*_list_names(), "__version__"])
