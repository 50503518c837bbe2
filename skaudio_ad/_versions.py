"""Report the machine, the versions of libraries and the commit that a result depends on."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["environment", "show_versions"]

# The package and its dependencies at run time, as in pyproject.toml.
PACKAGES = (
    "skaudio_ad",
    "click",
    "filelock",
    "joblib",
    "lazy-loader",
    "librosa",
    "matplotlib",
    "numpy",
    "pillow",
    "rich",
    "safetensors",
    "scikit-learn",
    "scipy",
    "skops",
    "soundfile",
    "soxr",
    "torch",
)
# Optional libraries that can run backbones.
OPTIONAL = ("hear21passt", "onnxruntime", "openvino", "transformers")


def environment() -> dict[str, str]:
    """Return the machine, the versions of libraries and the commit, for a log.

    Returns
    -------
    dict of str to str
        - ``python``, ``system``, ``cores`` and ``threads``: Python, operating system, CPU cores and threads of torch.
        - Names of this package, of its dependencies and of the optional runtimes: their versions.
        - ``cuda`` and ``gpus``: the CUDA release that torch was built for, and the names of the GPUs, or "none".
        - ``git_commit``: commit of the working directory.
        - ``skaudio_ad_git_commit``: commit of the package, if the package runs from a checkout.

        A commit ends in "-dirty" if tracked files have changed since the commit. A commit is "none" outside a
        repository.
    """
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        **{name: _version(name) for name in (*PACKAGES, *OPTIONAL)},
        "cuda": torch.version.cuda or "none",
        "gpus": ", ".join(gpus) or "none",
        "git_commit": _commit("."),
        # The file must be tracked, because the package may be installed inside the repository of another project.
        "skaudio_ad_git_commit": _commit(Path(__file__).parent, holding="__init__.py"),
    }


def package_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of its dependencies, without an import of any.

    Returns
    -------
    dict of str to str
    """
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def show_versions() -> None:
    """Print the versions, the machine and the commit for a bug report.

    Examples
    --------
    >>> import skaudio_ad
    >>> skaudio_ad.show_versions()  # doctest: +ELLIPSIS
    Python 3...
      skaudio_ad     ...
    """
    facts = environment()
    print(f"Python {facts['python']} on {facts['system']}")
    for name in (*PACKAGES, *OPTIONAL):
        print(f"  {name:<14} {facts[name]}")
    print(f"Cores: {facts['cores']}; torch threads: {facts['threads']}")
    print(f"GPUs: {facts['gpus']}; CUDA that torch is built for: {facts['cuda']}")
    print(f"Git commit: {facts['git_commit']} here, {facts['skaudio_ad_git_commit']} of skaudio_ad")


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit(folder, holding=None):
    """Return the commit of a checkout, "none" outside a repository, or "unknown" with the reason.

    If the file `holding` is given, the commit is "none" unless the repository tracks the file.
    """
    try:
        if holding is not None and not _git(folder, "ls-files", holding):
            return "none"
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
        return _git(folder, "rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "stderr", None) or error).splitlines()[0]
        return "none" if "not a git repository" in reason else f"unknown ({reason})"


def _git(folder, *arguments):
    # Git takes no locks here, because locks could disturb another git command in the same checkout.
    command = ["git", "--no-optional-locks", "-C", folder, *arguments]
    environ = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environ)
    return done.stdout.strip()
