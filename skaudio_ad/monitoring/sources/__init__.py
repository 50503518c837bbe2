"""Sources of sound behind one protocol: files, growing folders, standard input, microphones and network streams."""

from ._array_source import ArraySource
from ._file_source import FileSource
from ._folder_source import FolderSource
from ._open_source import open_source
from ._pipe_source import PipeSource
from ._source import Source, SourceError, SourceInfo

__all__ = [
    "ArraySource",
    "FileSource",
    "FolderSource",
    "PipeSource",
    "Source",
    "SourceError",
    "SourceInfo",
    "open_source",
]
