"""Embeddings on the disk, clip by clip, through joblib.Memory."""

import os

from sklearn.utils.validation import check_memory


class EmbeddingCache:
    """Embeddings by key: what one process has put here, any other finds.

    joblib writes an entry under another name first and then renames it, so that processes may share a folder and an
    interrupted one leaves none half written. A damaged entry is warned of and made again.

    Parameters
    ----------
    memory : str, path-like or joblib.Memory
    """

    def __init__(self, memory):
        self._entry = as_memory(memory).cache(_entry, ignore=["embedding"])

    def get(self, key):
        """The embedding of a key, or None."""
        if not self._entry.check_call_in_cache(key, None):
            return None
        try:
            return self._entry(key, None)
        except _Lost:
            return None

    def put(self, key, embedding):
        """Keep an embedding, an array."""
        self._entry(key, embedding)


def as_memory(memory):
    """A path, a joblib.Memory or None as a joblib.Memory; raises a ValueError for anything else."""
    return check_memory(os.fspath(memory) if isinstance(memory, os.PathLike) else memory)


class _Lost(Exception):
    """An entry went between the question whether it is there and the reading of it."""


def _entry(key, embedding):
    # joblib calls this for what it does not hold, and keeps what comes back.
    if embedding is None:
        raise _Lost
    return embedding
