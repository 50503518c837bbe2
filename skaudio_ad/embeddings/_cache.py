"""Embeddings on the disk, clip by clip, as plain arrays with a checksum."""

import hashlib
import io
import os
import warnings

import numpy as np

from .._atomic import atomic_path

# Folder of the entries inside the folder of a user, which may hold other files, such as a cache of joblib.
_FOLDER = "embeddings"
# Number of bytes of the sha256 at the end of an entry.
_CHECKSUM_SIZE = 32
_PLAIN = (bool, int, float, str, bytes, type(None))


class EmbeddingCache:
    """Embeddings by key: what one process has put here, any other finds.

    An entry is the file ``embeddings/abc/NAME.npy``, where NAME is the checksum of the key and abc are its first
    three digits: 4096 folders at most, each of 244 entries where there are a million. The file is an array that
    ``numpy.load`` reads, without pickle, followed by a checksum of key and array. An entry whose checksum does not
    hold is warned of and counts as missing. Entries are written whole or not at all, so processes may share a folder.

    Parameters
    ----------
    memory : str or path-like
        A folder. It is made with the first entry.
    """

    def __init__(self, memory):
        self._folder = os.path.join(check_memory(memory), _FOLDER)

    def get(self, key):
        """The embedding of a key, or None.

        Parameters
        ----------
        key : tuple
            Of numbers, strings, None and such tuples.

        Returns
        -------
        ndarray or None
        """
        digest, path = self._locate(key)
        try:
            with open(path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(f"{path}: cannot be read ({error.strerror}). The clip is embedded again.")
            return None
        embedding = _unpack(content, digest)
        if embedding is None:
            self._warn(f"{path}: is damaged. The clip is embedded again.")
        return embedding

    def put(self, key, embedding):
        """Keep an embedding; where the disk does not take the entry, a warning says so.

        Parameters
        ----------
        key : tuple
            As for :meth:`get`.
        embedding : ndarray
            Of numbers, of any shape.
        """
        digest, path = self._locate(key)
        content = _pack(embedding, digest)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with atomic_path(path) as temporary, open(temporary, "wb") as file:
                file.write(content)
        except OSError as error:  # hours of work must not end because nothing more can be kept
            self._warn(f"Embeddings are not kept: {error}")

    def _locate(self, key):
        """The checksum of a key, and the path of its entry."""
        digest = hashlib.sha256(_canonical(key).encode())
        name = digest.hexdigest()
        return digest.digest(), os.path.join(self._folder, name[:3], f"{name}.npy")

    @staticmethod
    def _warn(message):
        warnings.warn(message, stacklevel=3)


def check_memory(memory):
    """Raise a ValueError unless `memory` is the path of a folder or None.

    Parameters
    ----------
    memory : object

    Returns
    -------
    str or None
    """
    if memory is None:
        return None
    if not isinstance(memory, (str, os.PathLike)):
        way_out = ""
        if getattr(memory, "location", None) is not None:  # a joblib.Memory
            way_out = f" Embeddings are kept without joblib: give the folder, {str(memory.location)!r}."
        raise ValueError(f"memory must be the path of a folder or None, got {memory!r}.{way_out}")
    memory = os.fspath(memory)
    if os.path.exists(memory) and not os.path.isdir(memory):
        raise ValueError(f"memory must be the path of a folder, and {memory!r} is a file.")
    return memory


def _canonical(key):
    """A key as text: equal keys give equal texts, in every process."""
    if isinstance(key, tuple):
        return f"({','.join(map(_canonical, key))})"
    if isinstance(key, np.generic):
        key = key.item()
    if type(key) not in _PLAIN:
        raise TypeError(f"a key must be made of tuples, numbers, strings and None, got {key!r}.")
    return repr(key)


def _pack(embedding, digest):
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(embedding, order="C"), allow_pickle=False)
    content = buffer.getvalue()
    return content + _checksum(content, digest)


def _unpack(content, digest):
    """The array of an entry, or None where the entry is not what was written for the key."""
    array = memoryview(content)[:-_CHECKSUM_SIZE]
    if _checksum(array, digest) != content[-_CHECKSUM_SIZE:]:
        return None
    try:
        return np.lib.format.read_array(io.BytesIO(array), allow_pickle=False)
    except Exception:  # somebody made a file with a checksum that holds; NumPy may raise anything
        return None


def _checksum(content, digest):
    checksum = hashlib.sha256(digest)
    checksum.update(content)
    return checksum.digest()
