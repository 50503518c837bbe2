"""What a result depends on beside its code and data: machine, library versions, commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["environment", "show_versions"]

# The package and what it needs at run time, as pyproject.toml has it.
PACKAGES = (
    "skaudio_ad",
    "click",
    "filelock",
    "joblib",
    "lazy-loader",
    "librosa",
    "matplotlib",
    "numpy",
    "rich",
    "scikit-learn",
    "scipy",
    "skops",
    "soundfile",
    "soxr",
    "torch",
)
# What runs the backbones where a user has chosen it.
OPTIONAL = ("hear21passt", "onnxruntime", "openvino", "transformers")


def environment():
    """What a result depends on beside its code and data, for a log.

    Returns
    -------
    dict of str to str
        ``python``, ``system``, ``cores`` and ``threads`` (torch's); the version of this package, of every
        dependency and of the optional runtimes under its name; ``cuda`` (the release torch was built for) and
        ``gpus``, "none" without; ``git_commit`` of the working directory and ``skaudio_ad_git_commit`` of the
        package itself where it runs from a checkout. A commit ends in "-dirty" where tracked files have
        changed since; it is "none" outside a repository.
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
        # Installed into an environment that lies in somebody's repository, the package is not of its commits.
        "skaudio_ad_git_commit": _commit(Path(__file__).parent, holding="__init__.py"),
    }


def show_versions():
    """Print versions, machine and commit: what a report of a problem should contain.

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
    """The commit that a folder is checked out at, or what keeps us from knowing it.

    With `holding`, a file, only if the repository tracks it.
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
    # Without locks: looking must not disturb a commit that is being made in the same checkout.
    command = ["git", "--no-optional-locks", "-C", folder, *arguments]
    environ = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environ)
    return done.stdout.strip()
