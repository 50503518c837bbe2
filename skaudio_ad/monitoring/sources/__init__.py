"""Sources of sound behind one protocol: files, growing folders, standard input, microphones and network streams."""

from ._source import Source, SourceError, SourceInfo

__all__ = ["Source", "SourceError", "SourceInfo"]
