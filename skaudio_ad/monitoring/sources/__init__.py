"""Sources of sound behind one protocol: files, growing folders, standard input, microphones and network streams."""

from ._array_source import ArraySource
from ._file_source import FileSource
from ._folder_source import FolderSource
from ._microphone import MicrophoneSource, list_microphones
from ._open_source import open_source
from ._pipe_source import PipeSource
from ._source import Source, SourceError, SourceInfo
from ._stream_source import StreamSource

__all__ = [
    "ArraySource",
    "FileSource",
    "FolderSource",
    "MicrophoneSource",
    "PipeSource",
    "Source",
    "SourceError",
    "SourceInfo",
    "StreamSource",
    "list_microphones",
    "open_source",
]
