"""Read the header of a wav file that is being written to a pipe. The header may not know the length."""

import struct
from collections.abc import Callable
from typing import NamedTuple

from ...audio._damage import is_unknown_size
from ._source import SourceError

# Maximum number of bytes of a chunk before the samples, such as a comment.
_MAX_CHUNK = 1 << 24
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Format by the tag and the number of bytes of a sample.
_FORMATS = {
    (_PCM, 1): "u8",
    (_PCM, 2): "s16le",
    (_PCM, 3): "s24le",
    (_PCM, 4): "s32le",
    (_FLOAT, 4): "f32le",
    (_FLOAT, 8): "f64le",
}
# Name of the first chunk of a file of Sony Wave64.
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
MAGICS = (b"RIFF", b"RF64", b"BW64", b"riff")


class WavFormat(NamedTuple):
    """What the header says.

    Attributes
    ----------
    sample_rate : int
        Samples per second, in hertz.
    n_channels : int
    form : str
        Format of the samples.
    n_bytes : int or None
        Number of bytes of all samples. None if unknown.
    pad : int
        Chunks begin at multiples of this number of bytes.
    """

    sample_rate: int
    n_channels: int
    form: str
    n_bytes: int | None
    pad: int


def read_header(exactly: Callable[[int], bytes], magic: bytes) -> WavFormat:
    """Read up to the first sample.

    Parameters
    ----------
    exactly : callable
        ``exactly(n)`` returns the next n bytes.
    magic : bytes
        The first 4 bytes, which are already read: one of ``MAGICS``.

    Returns
    -------
    WavFormat

    Raises
    ------
    SourceError
        If the header is damaged, or the format of the samples is not supported.
    """
    wide = magic == b"riff"
    rest = exactly(36 if wide else 8)
    whole = (magic + rest[:12] == _W64_RIFF and rest[20:24] == b"wave") if wide else rest[4:8] == b"WAVE"
    if not whole:
        raise SourceError("the input begins like a wav file, but its header is damaged.")
    form: tuple[int, int, str] | None = None
    long_size = None
    while True:
        name, size = _next_chunk(exactly, wide)
        if name == b"data":
            if form is None:
                raise SourceError("the wav header says nothing about the format of the samples.")
            if size == 0xFFFFFFFF and long_size is not None:
                size = long_size
            is_long = wide or long_size is not None
            unknown = size == 0 or (size >= 1 << 62 if is_long else is_unknown_size(size))
            return WavFormat(*form, None if unknown else size, 8 if wide else 2)
        if size > _MAX_CHUNK:
            raise SourceError(
                f"the wav header holds a chunk of {size} bytes before the samples, and is damaged."
            )
        body = exactly(size)
        exactly(-size % (8 if wide else 2))
        if name == b"fmt ":
            form = _parse_format(body)
        elif name == b"ds64" and size >= 16:
            long_size = struct.unpack_from("<Q", body, 8)[0]


def skip_chunk(exactly: Callable[[int], bytes], name: bytes, wide: bool) -> None:
    """Skip a chunk after the samples. Its name is already read, up to 4 bytes."""
    if wide:
        exactly(12)
    size = struct.unpack("<Q", exactly(8))[0] - 24 if wide else struct.unpack("<I", exactly(4))[0]
    if not 0 <= size <= _MAX_CHUNK or not name.isascii():
        raise SourceError("the input goes on after the samples with bytes that are no wav file.")
    exactly(size + -size % (8 if wide else 2))


def _next_chunk(exactly, wide):
    if not wide:
        return struct.unpack("<4sI", exactly(8))
    name, size = struct.unpack("<16sQ", exactly(24))
    # The size of a chunk of Wave64 includes the 24 bytes of its own header. 0 stands for an unknown size.
    return name[:4], max(0, size - 24)


def _parse_format(body):
    if len(body) < 16:
        raise SourceError("the wav header is damaged: the description of the format is too short.")
    tag, n_channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", body)
    is_extensible = tag == _EXTENSIBLE
    if is_extensible and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    if not n_channels or not rate or align % n_channels:
        raise SourceError(
            f"the wav header is damaged: {n_channels} channels, {rate} Hz, {align} bytes for one sample of all "
            "channels."
        )
    form = _FORMATS.get((tag, align // n_channels))
    if form == "s32le" and bits == 24 and not is_extensible:
        form = "s24_32le"  # arecord -f S24_LE writes the sample into the lower 3 of 4 bytes
    if form is None:
        raise SourceError(
            f"the wav header says format {tag} with {bits} bits, which is not supported. Write 16, 24 or 32 bits, or "
            "32-bit float: arecord -f S16_LE, ffmpeg -c:a pcm_s16le, sox -e signed-integer -b 16."
        )
    return rate, n_channels, form
