"""Decode samples without a header."""

import numpy as np

from ..._typing import Float32Array

#: Bytes of a sample and NumPy type of the formats, by the name of FFmpeg. 24-bit samples have no NumPy type.
FORMATS: dict[str, tuple[int, str]] = {
    "u8": (1, "u1"),
    "s8": (1, "i1"),
    "s16le": (2, "<i2"),
    "s16be": (2, ">i2"),
    "s24le": (3, ""),
    "s24be": (3, ""),
    "s24_32le": (4, "<i4"),
    "s32le": (4, "<i4"),
    "s32be": (4, ">i4"),
    "f32le": (4, "<f4"),
    "f32be": (4, ">f4"),
    "f64le": (8, "<f8"),
    "f64be": (8, ">f8"),
}
# Names of arecord. Its S24_LE is 24 bits in 4 bytes, and its S24_3LE is the s24le of FFmpeg.
_ALIASES = {
    "U8": "u8",
    "S8": "s8",
    "S16_LE": "s16le",
    "S16_BE": "s16be",
    "S24_LE": "s24_32le",
    "S24_3LE": "s24le",
    "S24_3BE": "s24be",
    "S32_LE": "s32le",
    "S32_BE": "s32be",
    "FLOAT_LE": "f32le",
    "FLOAT_BE": "f32be",
    "FLOAT64_LE": "f64le",
    "FLOAT64_BE": "f64be",
}


def check_format(name: str) -> str:
    """Return the name of FFmpeg of a format.

    Raises
    ------
    ValueError
        If the format is unknown.
    """
    known = _ALIASES.get(name, name)
    if known not in FORMATS:
        raise ValueError(
            f"format must be 'auto', 'wav', or a format of samples ({', '.join(FORMATS)}; or {', '.join(_ALIASES)} as "
            f"arecord names them), got {name!r}."
        )
    return known


def decode(data: bytes | bytearray, form: str, n_channels: int) -> Float32Array:
    """Decode whole frames.

    Parameters
    ----------
    data : bytes
        Interleaved samples.
    form : str
        Key of ``FORMATS``.
    n_channels : int

    Returns
    -------
    ndarray of shape (n_frames, n_channels), float32
        Samples in [-1, 1].
    """
    if form in ("s24le", "s24be"):
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        packed = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        wide[:, 1:] = packed if form == "s24le" else packed[:, ::-1]
        values = wide.view("<i4")[:, 0]
    else:
        values = np.frombuffer(data, dtype=FORMATS[form][1])
        if form == "s24_32le":
            values = values << 8  # the upper byte is padding
    if values.dtype.kind == "f":
        samples = values.astype(np.float32)
    elif form == "u8":
        samples = (values.astype(np.float32) - 128.0) / np.float32(128.0)
    else:
        samples = values.astype(np.float32) / np.float32(2.0 ** (8 * values.dtype.itemsize - 1))
    return samples.reshape(-1, n_channels)
