"""`open_source`: the source that a text names."""

import os
from typing import Any

from ..._clip_errors import shown
from ._file_source import FileSource
from ._folder_source import FolderSource
from ._microphone import MicrophoneSource
from ._pipe_source import PipeSource
from ._source import Source, SourceError
from ._stream_source import SCHEMES, StreamSource

_FORMS = (
    "A source is '-' (standard input), 'mic:' or 'mic:NAME' (a microphone), a URL that begins with rtsp://, rtsps://, "
    "http:// or https://, a folder, or a file of sound."
)


def open_source(text: str, **options: Any) -> Source:
    """Return the source that a text names.

    Parameters
    ----------
    text : str
        "-" for standard input, "mic:" or "mic:NAME" for a microphone, a URL that begins with ``rtsp://``, ``rtsps://``,
        ``http://`` or ``https://``, or the path of a folder or a file.
    **options
        Parameters of the class of the source.

    Returns
    -------
    Source
        :class:`PipeSource`, :class:`MicrophoneSource`, :class:`StreamSource`, :class:`FolderSource` or
        :class:`FileSource`. Nothing is opened yet.

    Raises
    ------
    SourceError
        If the text has none of these forms, or names a file that does not exist.
    TypeError, ValueError
        If an option does not belong to the source, or is out of range.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sources import open_source
    >>> open_source(".", settle=5.0).name
    '.'
    """
    text = os.fspath(text)
    if text == "-":
        return PipeSource(**options)
    scheme, colon, rest = text.partition(":")
    if scheme == "mic" and colon:
        return MicrophoneSource(rest or None, **options)
    if scheme.lower() in SCHEMES and rest.startswith("//"):
        return StreamSource(text, **options)
    if os.path.isdir(text):
        return FolderSource(text, **options)
    if os.path.exists(text):
        return FileSource(text, **options)
    raise SourceError(f"{shown(text)!r} names no source, and no such file or folder exists. {_FORMS}")
