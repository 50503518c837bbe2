"""Files for the fuzz benchmark: intact, truncated, bit-flipped, with false headers, of other kinds, with odd names."""

import io
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 16000
# Ending of the file name, and parameters of soundfile, for every format.
FORMATS = {
    "wav, 8 bit": ("wav", {"format": "WAV", "subtype": "PCM_U8"}),
    "wav, 16 bit": ("wav", {"format": "WAV", "subtype": "PCM_16"}),
    "wav, 24 bit": ("wav", {"format": "WAV", "subtype": "PCM_24"}),
    "wav, 32 bit": ("wav", {"format": "WAV", "subtype": "PCM_32"}),
    "wav, float": ("wav", {"format": "WAV", "subtype": "FLOAT"}),
    "flac": ("flac", {"format": "FLAC", "subtype": "PCM_16"}),
    "ogg, vorbis": ("ogg", {"format": "OGG", "subtype": "VORBIS"}),
    "ogg, opus": ("opus", {"format": "OGG", "subtype": "OPUS"}),
    "mp3": ("mp3", {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    "aiff": ("aiff", {"format": "AIFF", "subtype": "PCM_16"}),
    "au": ("au", {"format": "AU", "subtype": "PCM_16"}),
    "caf": ("caf", {"format": "CAF", "subtype": "PCM_16"}),
    "w64": ("w64", {"format": "W64", "subtype": "PCM_16"}),
    "rf64": ("rf64", {"format": "RF64", "subtype": "PCM_16"}),
}
CHECKED = ("flac", "ogg, vorbis", "ogg, opus")  # formats with a checksum of their samples
# Share of the campaign, for every kind of file.
SHARES = {
    "intact": 0.10,
    "intact, odd name": 0.10,
    "length unknown": 0.04,
    "truncated": 0.30,
    "truncated, length unknown": 0.06,
    "bit flips": 0.22,
    "lying header": 0.10,
    "no audio": 0.04,
    "no file": 0.02,
    "very short": 0.02,
}
ODD_NAMES = (
    b"caf\xe9",
    b"two\nlines",
    b"\x1b[2Jclear",
    b"bell\x07tab\tend",
    b"-rf",
    b"--help",
    b"=1+1",
    b"@SUM(A1)",
    "😀 é 音".encode(),
    "\u202etxt".encode(),
    b"a'b\"c;$(x)%s{}",
    b"x" * 230,
    b" ",
)


@dataclass(frozen=True)
class Case:
    """One file of the campaign.

    Attributes
    ----------
    path : str
        Path of the file. Bytes of the name that are not UTF-8 are surrogates.
    kind : str
        A key of `SHARES`.
    format : str
        A key of `FORMATS`, or a description of another content.
    """

    path: str
    kind: str
    format: str


def make_files(folder, n_files, seed):
    """Fill a folder with files of all kinds.

    Parameters
    ----------
    folder : path-like
    n_files : int
    seed : int

    Returns
    -------
    list of Case
    """
    rng = np.random.default_rng(seed)
    contents = encode_sounds(rng)
    kinds = [kind for kind, share in SHARES.items() for _ in range(max(1, round(share * n_files)))]
    return [_make(Path(folder), index, kind, contents, rng) for index, kind in enumerate(kinds)]


def make_sounds(n_sounds, seed):
    """Make sounds of a machine, of 0.8 to 1.2 s, (n_samples,) each."""
    from skaudio_ad.datasets import make_machine_sounds

    sounds = make_machine_sounds(n_sounds, 0, duration=1.2, sample_rate=RATE, random_state=seed).waveforms
    return [sound[: len(sound) - 301 * (index % 20)] for index, sound in enumerate(sounds)]


def encode(sound, name, rate=RATE):
    """Return a sound as the bytes of a file."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, **FORMATS[name][1])
    return buffer.getvalue()


def encode_sounds(rng):
    """Return the bytes of sounds in every format: dict of {str: list of bytes}."""
    sounds = make_sounds(8, int(rng.integers(1 << 31)))
    # Longer sounds in Ogg have several pages, so that one page may be lost while the other pages are decoded.
    long = [np.concatenate([sounds[index], *sounds[:3]]) for index in range(4)]
    return {
        name: [encode(sound, name) for sound in (long if name.startswith("ogg") else sounds)]
        for name in FORMATS
    }


def _make(folder, index, kind, contents, rng):
    def pick(*names):
        name = str(rng.choice(names or list(FORMATS)))
        return name, bytearray(contents[name][rng.integers(len(contents[name]))])

    prefix = f"{index:05d}"
    if kind == "no file":
        return Case(*_make_no_file(folder, prefix, index), "no file")
    if kind == "no audio":
        content, what = _NO_AUDIO[index % len(_NO_AUDIO)]
        ending = FORMATS[str(rng.choice(list(FORMATS)))][0]
        return _write(folder, f"{prefix}.{ending}".encode(), content(rng), kind, what)
    if kind == "very short":
        name = str(rng.choice(list(FORMATS)))
        content = encode(0.1 * rng.standard_normal(int(rng.integers(1, 200))), name)
    elif kind == "lying header":
        what = list(LIES)[index % len(LIES)]
        name, content = pick(LIES[what][0])
        content = LIES[what][1](content)
        return _write(folder, f"{prefix}.{FORMATS[name][0]}".encode(), content, kind, what)
    elif kind in ("length unknown", "truncated, length unknown"):
        name, content = pick(*UNKNOWN)
        content = UNKNOWN[name](content)
    else:
        name, content = pick()
    if kind.startswith("truncated"):
        content = content[: rng.integers(1, len(content))]
    if kind == "bit flips":
        for position in rng.integers(len(content), size=rng.integers(1, 9)):
            content[position] ^= 1 << rng.integers(8)
    stem = prefix.encode()
    if kind == "intact, odd name":
        # The number comes last, because the first letter often makes a name odd.
        stem = ODD_NAMES[index % len(ODD_NAMES)] + stem
    return _write(folder, stem + f".{FORMATS[name][0]}".encode(), content, kind, name)


def _write(folder, name, content, kind, what):
    path = os.fsencode(folder) + b"/" + name
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError:  # some file systems allow only Unicode names
        return _write(folder, b"plain" + name[-20:].lstrip(b"x"), content, kind, what)
    return Case(os.fsdecode(path), kind, what)


def _make_no_file(folder, prefix, index):
    path = folder / f"{prefix}.wav"
    kind = ("pipe", "broken link", "loop of links", "folder")[index % 4]
    if kind == "pipe" and hasattr(os, "mkfifo"):
        os.mkfifo(path)
    elif kind == "broken link":
        path.symlink_to(folder / "gone.wav")
    elif kind == "loop of links":
        path.symlink_to(path)
    else:
        path.mkdir()
    return str(path), "no file"


_NO_AUDIO = (
    (lambda rng: b"recorded on a Tuesday\n" * 50, "text"),
    (lambda rng: rng.bytes(5000), "noise"),
    (lambda rng: bytes(5000), "zeros"),
    (lambda rng: b"", "nothing"),
    (lambda rng: b"%PDF-1.7\n" + rng.bytes(3000), "PDF"),
    (lambda rng: b"\x89PNG\r\n\x1a\n" + rng.bytes(3000), "PNG"),
    (lambda rng: b"PK\x03\x04" + rng.bytes(3000), "zip"),
    (lambda rng: b"RIFF\xff\xff\xff\x7fWAVE" + rng.bytes(3000), "noise after RIFF"),
    (lambda rng: b"OggS" + rng.bytes(3000), "noise after OggS"),
    (lambda rng: b"fLaC" + rng.bytes(3000), "noise after fLaC"),
    (lambda rng: b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + rng.bytes(3000), "noise after ID3"),
)


def _put(content, at, value):
    content[at : at + len(value)] = value
    return content


def _put_bits(content, start, stop, n_bits, value):
    whole = int.from_bytes(content[start:stop], "big") >> n_bits << n_bits | value
    return _put(content, start, whole.to_bytes(stop - start, "big"))


def _xing(content):
    return re.search(b"Xing|Info", content).start()


def _fmt(content, offset, value):
    return _put(content, content.index(b"fmt ") + 8 + offset, value)


def _long_rf64(content):
    size = 5 << 30
    return _put(content, content.index(b"ds64") + 8, struct.pack("<QQQ", size + 100, size, size // 2))


# Format, and function that writes the false header, for every kind of false header.
LIES = {
    "flac of 2^36 samples": ("flac", lambda c: _put_bits(c, 18, 26, 36, 2**36 - 1)),
    "flac of 1 Hz": ("flac", lambda c: _put_bits(c, 18, 21, 24, 1 << 4)),
    "mp3 of 2^32 frames": ("mp3", lambda c: _put(c, _xing(c) + 8, b"\xff" * 4)),
    "wav of 1 Hz": ("wav, 16 bit", lambda c: _fmt(c, 4, struct.pack("<I", 1))),
    "wav of 20 Hz": ("wav, 16 bit", lambda c: _fmt(c, 4, struct.pack("<I", 20))),
    "wav of 2^31 Hz": ("wav, 16 bit", lambda c: _fmt(c, 4, struct.pack("<I", 2**31 - 1))),
    "wav of 1000 channels": ("wav, 16 bit", lambda c: _fmt(c, 2, struct.pack("<H", 1000))),
    "wav of 65535 channels": ("wav, 16 bit", lambda c: _fmt(c, 2, struct.pack("<H", 65535))),
    "wav of no channels": ("wav, 16 bit", lambda c: _fmt(c, 2, b"\0\0")),
    "wav of 0-byte frames": ("wav, 16 bit", lambda c: _fmt(c, 12, b"\0\0\0\0")),
    "wav of 2 GB": ("wav, 16 bit", lambda c: _put(c, c.index(b"data") + 4, struct.pack("<I", 2_000_000_000))),
    "wav with a chunk of 4 GB": ("wav, 16 bit", lambda c: c[:12] + b"LIST\xfe\xff\xff\xff" + c[12:]),
    "rf64 of 5 GB": ("rf64", _long_rf64),
    "aiff of 2^32 frames": ("aiff", lambda c: _put(c, c.index(b"COMM") + 10, b"\xff" * 4)),
    "aiff of 1 Hz": ("aiff", lambda c: _put(c, c.index(b"COMM") + 16, b"\x3f\xff\x80" + bytes(7))),
    "au of 1 Hz": ("au", lambda c: _put(c, 16, struct.pack(">I", 1))),
    "au of 2 GB": ("au", lambda c: _put(c, 8, struct.pack(">I", 2_000_000_000))),
    "caf of 2^62 bytes": ("caf", lambda c: _put(c, c.index(b"data") + 4, struct.pack(">q", 1 << 62))),
    "w64 of 2^62 bytes": (
        "w64",
        lambda c: _put(c, c.index(b"data\xf3\xac") + 16, struct.pack("<q", 1 << 62)),
    ),
}
# Changes that leave the length in the header open, as programs that write to a pipe do, for every format.
UNKNOWN = {
    "wav, 16 bit": lambda c: _put(_put(c, 4, b"\xff" * 4), c.index(b"data") + 4, b"\xff" * 4),
    "flac": lambda c: _put_bits(c, 18, 26, 36, 0),
    "au": lambda c: _put(c, 8, b"\xff" * 4),
    "mp3": lambda c: _put(c, _xing(c), b"\0" * 4),
}
