"""Where the weights are: on the disk, or on their way to it, always checked."""

import csv
import os
import sys
from pathlib import Path

from .._checksums import WeightsError, content_digest, digest_problem, may_write, reinstall, verify
from .._download import OFFLINE_VARIABLE, DownloadError, download_file
from ._checkpoint import read_state_dict
from ._identify import read_as
from ._registry import AUDIOSET_LABELS, BACKBONES, Backbone, get_weights_file

WEIGHTS_VARIABLE = "SKAUDIO_AD_WEIGHTS"
_N_CLASSES = 527


def weights_path(weights, *, path=None, download=True, quiet=False):
    """Path of a file of weights, downloaded if need be.

    Weights that are part of an installed package, as those of "mini" are, lie in the folder of the package. Others are
    looked for in `path`, then in the environment variable `SKAUDIO_AD_WEIGHTS` (a folder, or one file, which goes
    by its name), then in the cache (``skaudio_ad/weights`` in `XDG_CACHE_HOME`, or in the folder for caches of the
    operating system), then on the network. A download goes to the first of those folders that may be written to;
    it resumes where an interrupted one stopped, and processes that want the same file download it once.

    What is found in a folder is checked. Where a sha256 is published, the file is read and compared with it once a
    process (10 ms for mn04). Where none is published, the file is compared with the sha256 that the first use
    recorded in ``NAME.json`` beside it; a file that has kept its size and time since is not read again. A folder
    that may not be written to keeps no records, so a file without a published sha256 cannot be checked there.

    Parameters
    ----------
    weights : str or WeightsFile
        A :class:`Backbone` or the name of one, as for :func:`get_backbone`, or "audioset_labels".

    path : str, path-like or None, default=None
        A folder to look in first, and to download to. Or the file itself, of any name, which is then taken as
        it is: it may well be fine-tuned, so no checksum is asked for.

    download : bool, default=True
        Whether to download what is not on the disk. Nothing is where the environment variable
        `SKAUDIO_AD_OFFLINE` is set.

    quiet : bool, default=False
        Whether to download without a word and without a progress bar, which otherwise go to stderr.

    Returns
    -------
    pathlib.Path
        An existing file.

    Raises
    ------
    TypeError, ValueError
        If `weights` is not known.
    WeightsError
        If the file is neither on the disk nor to be had, or not what it should be. The message names the URL,
        the file and where to put it.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio_ad.embeddings import weights_path
    >>> with tempfile.NamedTemporaryFile(suffix=".pt") as file:
    ...     weights_path("mn10", path=file.name).suffix
    '.pt'
    """
    weights = get_weights_file(weights)
    given = _given_file(path)
    if given is not None:
        return given
    found = find_weights(weights, path=path)
    if found is None:
        found = _download(weights, path, download, quiet)
    verify(found, weights)
    return found


def find_weights(weights, *, path=None):
    """Path of a file of weights on this machine, or None; nothing is downloaded or checked.

    Parameters
    ----------
    weights : str or WeightsFile
    path : str, path-like or None, default=None
        As for :func:`weights_path`.

    Returns
    -------
    pathlib.Path or None

    Raises
    ------
    WeightsError
        If `path`, or what the environment variable names, does not exist.
    """
    weights = get_weights_file(weights)
    given = _given_file(path)
    if given is not None:
        return given
    if weights.folder is not None and (packaged := Path(weights.folder) / weights.filename).is_file():
        return packaged
    for place in weights_places(path):
        # A file in the variable goes by its name: the variable holds for all backbones.
        file = place / weights.filename if place.is_dir() else place
        if file.name == weights.filename and file.is_file():
            return file
    return None


def available_backbones(*, path=None):
    """Names of the backbones whose weights are on this machine; nothing is downloaded or checked.

    Parameters
    ----------
    path : str, path-like or None, default=None
        A folder to look in first, as for :func:`weights_path`.

    Returns
    -------
    list of str
        Names of :data:`BACKBONES`. Backbones with a published score of the frozen network on DCASE Task 2 come first,
        the highest score first, because this score measures what the package is for. Where two publications give a
        score, their mean counts. Backbones with a published mean average precision on AudioSet follow, the highest
        first. Equal backbones are in order of size, the smallest first. Backbones without a figure, such as "mini",
        come last. "mini" is part of the package, so the list is not empty. Whether a backbone without a published score
        finds more or fewer anomalies than one with a score is not known.

    Raises
    ------
    WeightsError
        If `path`, or what the environment variable names, does not exist.

    See Also
    --------
    list_backbones : A table of all backbones with their figures.

    Examples
    --------
    >>> from skaudio_ad.embeddings import available_backbones
    >>> "mini" in available_backbones()
    True
    """
    if path is not None and _given_file(path) is not None:
        raise WeightsError(f"path must be a folder or None, got the file {str(path)!r}.")
    found = [backbone for backbone in BACKBONES.values() if find_weights(backbone, path=path) is not None]
    found.sort(key=_merit)
    return [backbone.name for backbone in found]


def _merit(backbone):
    """Key that sorts backbones by their published figures, the best first."""
    scores = backbone.frozen_scores.values()
    score = sum(scores) / len(scores) if scores else 0
    return -score, -(backbone.mean_average_precision or 0), backbone.megabytes or 0


def weights_places(path=None):
    """The folders (or files) in which weights are looked for, in order, the cache last.

    Parameters
    ----------
    path : str, path-like or None, default=None
        As for :func:`weights_path`.

    Returns
    -------
    list of pathlib.Path
        All exist, except for the cache, which the first download makes.

    Raises
    ------
    WeightsError
        If `path`, or what the environment variable names, does not exist.
    """
    named = {} if path is None else {"path": path}
    if os.environ.get(WEIGHTS_VARIABLE):
        named[f"environment variable {WEIGHTS_VARIABLE}"] = os.environ[WEIGHTS_VARIABLE]
    for origin, place in named.items():
        if not Path(place).expanduser().exists():
            raise WeightsError(f"The {origin} must name a folder or file that exists, got {str(place)!r}.")
    return [*(Path(place).expanduser() for place in named.values()), _cache_folder()]


def load_state_dict(weights, *, path=None, download=True, quiet=False):
    """Weights as tensors on the CPU, with the names of our network. No code in the file is run.

    The file is one of ``torch.save``, read with ``weights_only=True``, or one of safetensors.

    Parameters
    ----------
    weights, path, download, quiet
        As for :func:`weights_path`.

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    TypeError, ValueError
        If `weights` is not known.
    WeightsError
        As for :func:`weights_path`; and if the file holds no state dict.
    """
    weights = get_weights_file(weights)
    found = weights_path(weights, path=path, download=download, quiet=quiet)
    if not isinstance(weights, Backbone):
        return read_state_dict(found)
    return read_state_dict(found, lambda content: read_as(content, weights))


def class_labels(*, path=None, download=True, quiet=False):
    """Names of AudioSet's classes, in the order of the logits.

    Parameters
    ----------
    path, download, quiet
        As for :func:`weights_path`; the file is AudioSet's ``class_labels_indices.csv``.

    Returns
    -------
    list of str
        527 names.

    Raises
    ------
    WeightsError
        As for :func:`weights_path`; and if the file is no list of the 527 classes.
    """
    found = weights_path(AUDIOSET_LABELS, path=path, download=download, quiet=quiet)
    try:
        with open(found, newline="", encoding="utf-8") as file:
            names = {int(row["index"]): row["display_name"] for row in csv.DictReader(file)}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise WeightsError(
            f"{found}: must be a table of AudioSet's classes with the columns index, mid, display_name."
        ) from error
    if set(names) != set(range(_N_CLASSES)):
        raise WeightsError(f"{found}: must name the classes 0 to {_N_CLASSES - 1}, and names {len(names)}.")
    return [names[index] for index in range(_N_CLASSES)]


def _given_file(path):
    """The file that the caller names, or None where that is a folder or nothing."""
    given = None if path is None else Path(path).expanduser()
    return given if given is not None and given.is_file() else None


def _cache_folder():
    if os.environ.get("XDG_CACHE_HOME"):
        cache = Path(os.environ["XDG_CACHE_HOME"]).expanduser()
    elif sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        cache = Path(os.environ["LOCALAPPDATA"])
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path.home() / ".cache"
    return cache / "skaudio_ad" / "weights"


def _download(weights, path, download, quiet):
    if weights.folder is not None and weights.url is None:
        raise WeightsError(f"{Path(weights.folder) / weights.filename}: is missing. {reinstall(weights)}")
    places = weights_places(path)
    folder = next((place for place in places if may_write(place)), places[-1])
    file = folder / weights.filename
    by_hand = f"Put it there as {file}" if weights.url is None else f"By hand: save {weights.url} as {file}"
    if weights.url is None and weights.source:
        by_hand = f"A program cannot download it. Its source is {weights.source}. {by_hand}"
    by_hand += f", or under the same name in a folder that the environment variable {WEIGHTS_VARIABLE} names."
    offline = bool(os.environ.get(OFFLINE_VARIABLE))
    looked = ", ".join(dict.fromkeys(map(str, places)))
    if weights.url is None or offline or not download:
        how = "" if weights.url is None else f"Download it: `skaudio-ad weights download {weights.name}`"
        how += f", with {OFFLINE_VARIABLE} not set. " if how and offline else ". " if how else ""
        raise WeightsError(
            f"{weights.name}: {weights.filename} is not on this machine, looked in {looked}. {how}{by_hand}"
            f"{_others(weights, path)}"
        )

    def check(part):
        problem = digest_problem(content_digest(part), file, weights)
        if problem is not None:
            raise DownloadError(f"damaged on the way, or another file, and removed: {problem}")

    try:
        download_file(weights.url, file, check=check, first_bytes=weights.first_bytes, quiet=quiet)
    except (DownloadError, OSError) as error:
        raise WeightsError(
            f"{weights.name} could not be downloaded: {error}. {by_hand} Looked in {looked}. To try again: "
            f"`skaudio-ad weights download {weights.name}`.{_others(weights, path)}"
        ) from error
    return file


def _others(weights, path):
    """The sentence that names the backbones at hand, for somebody who lacks the weights of another one."""
    if not isinstance(weights, Backbone):
        return ""
    return f" Backbones with weights on this machine: {', '.join(available_backbones(path=path))}."
