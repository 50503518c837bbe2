"""Find out whether a file can be opened, and whether it is complete. libsndfile reports damage only in its log."""

import os
import re
import stat
import struct
import zlib

# Lines in the log of libsndfile where a header promises more than the file holds.
_PROMISES = (
    re.compile(r"^\s*(?:data|riff|SSND|Data Size|BODY)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE),
    re.compile(r"^Data length (\d+) should be (\d+)", re.MULTILINE),
)
_FRAMES = re.compile(r"^\s*Frames\s*: (\d+)\s*$", re.MULTILINE)
# Messages in the log of libsndfile about a file that is truncated.
_CUT_SHORT = (
    "File ended unexpectedly",
    "Last page lacks an end-of-stream bit",
    "Junk after the last page",
    "does not match value from 'ds64' chunk",
    "seems to be truncated",
    "Seems to be a truncated file",
)
# Messages in the log of libsndfile about missing or broken pages of an Ogg file. libsndfile decodes the other pages.
_HOLES = re.compile(
    r"reports a hole|Hole found|Skipped \d+ bytes looking for the next page|checksum is \w+ should be"
)
# Lines in the log of libsndfile about the format of a wav file with 24 bits a sample.
_WAV_24_BITS = re.compile(
    r"^\s*Channels\s*: (\d+)\n.*^\s*Block Align\s*: (\d+)\n\s*Bit Width\s*: 24\n", re.MULTILINE | re.DOTALL
)
# arecord -f S24_LE writes 24 bits into the lower 3 of 4 bytes. libsndfile then reads the samples 256 times too quiet,
# or takes every 3 bytes for a sample. sox and ffmpeg misread such a file too.
_PADDED = (
    "holds samples of 24 bits in 4 bytes (arecord -f S24_LE), which libsndfile reads wrongly; record with arecord -f "
    "S24_3LE or S32_LE, and convert this file without its header (tail -c +45 IN.wav | sox -t raw -r RATE -c CHANNELS "
    "-e signed -b 32 - -b 24 OUT.wav vol 256)"
)
# Maximum number of characters in the log of libsndfile. Long tags fill the log, and later messages are lost.
_LOG_SIZE = 2047
# Sizes just below 2 and 4 GiB mean "unknown", because a program that writes to a pipe cannot know the length. SoX
# writes 0x7FFFF000, arecord 0x7FFFFF00 and FFmpeg 0xFFFFFFFF. Some programs round to whole frames.
_UNKNOWN_SIZES = (range(0x7FFFEF00, 0x80000001), range(0xFFFFF000, 0x100000000))
_TRUNCATED_OGG = "it ends in the middle of its stream"
_DAMAGED_OGG = "is damaged: pages in the middle of its stream are missing or broken"
HEADERLESS = "is headerless: its sample rate cannot be known; convert it to wav or flac."
# Every byte with its bits in reverse order. The checksum of Ogg is the checksum of zip with reversed bits.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def why_unreadable(path: str) -> str | None:
    """Say why a path is not a file that can be opened. The check never waits; opening a pipe would.

    Parameters
    ----------
    path : str

    Returns
    -------
    str or None
        None where the path is a file that can be opened.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            return "is a link to a file that does not exist; restore that file, or mend the link."
        return "no such file; check the path and the folder it is relative to."
    except (
        OSError,
        ValueError,
    ) as error:  # a loop of links, a name that is too long, a folder without permission
        return f"cannot be opened ({getattr(error, 'strerror', None) or error}); check the path and its permissions."
    if stat.S_ISDIR(status.st_mode):
        return "is a folder; list its recordings with skaudio_ad.audio.find_audio_files."
    if not stat.S_ISREG(status.st_mode):
        return "is a pipe, a socket or a device, and not a file; save its output to a file first."
    if status.st_size == 0:
        return 'is empty (0 bytes); restore it or leave it out with on_error="skip".'
    return HEADERLESS if path.lower().endswith(".raw") else None


def find_damage(log: str, path: str, n_frames: int) -> str | None:
    """Say what is wrong with a damaged file. libsndfile would decode the rest of the file without an error.

    Parameters
    ----------
    log : str
        Log of libsndfile, for the part of the file that has been decoded.
    path : str
    n_frames : int
        Number of frames of the file according to libsndfile.

    Returns
    -------
    str or None
        None where no damage is found.
    """
    if _HOLES.search(log):
        return _DAMAGED_OGG
    if (wav := _WAV_24_BITS.search(log)) and int(wav[2]) == 4 * int(wav[1]):
        return _PADDED
    for promise in _PROMISES:
        for match in promise.finditer(log):
            promised, held = map(int, match.groups())
            if promised > held and not is_unknown_size(promised):
                return _truncated(f"its header promises {promised} bytes of samples, it holds {held}")
    frames = _FRAMES.search(log)
    if frames and int(frames[1]) > n_frames:
        return _truncated(f"its header promises {frames[1]} frames, it holds {n_frames}")
    if any(message in log for message in _CUT_SHORT):
        return _truncated(_TRUNCATED_OGG)
    return _damage_of_container(path) if len(log) >= _LOG_SIZE else None


def _truncated(detail):
    return f"is truncated: {detail}"


def is_unknown_size(size):
    return any(size in sizes for sizes in _UNKNOWN_SIZES)


def _damage_of_container(path):
    """Find damage in the container itself, for files whose tags fill the log."""
    with open(path, "rb") as file:
        magic = file.read(12)
        file.seek(0)
        if magic[:4] == b"OggS":
            return _damage_of_ogg(file)
        for start, order in ((b"RIFF", "<"), (b"RF64", "<"), (b"RIFX", ">"), (b"FORM", ">")):
            if magic.startswith(start):
                return _damage_of_chunks(file, os.path.getsize(path), order)
    return None


def _damage_of_chunks(file, size, order):
    """Find damage in a file of chunks. A chunk is a name of 4 bytes, a size and the contents."""
    position, long_size = 12, None
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            long_size = struct.unpack("<8xQ", file.read(16))[0]
        if name in (b"data", b"SSND"):
            if length == 0xFFFFFFFF and long_size is not None:
                length = long_size
            held = size - position - 8
            if length > held and not is_unknown_size(length):
                return _truncated(f"its header promises {length} bytes of samples, it holds {held}")
            return None
        position += 8 + length + length % 2
    return _truncated("it ends before its samples begin")


def _damage_of_ogg(file):
    """Find damage in a file of Ogg pages. Every page has a number in its stream and a checksum."""
    next_numbers: dict[int, int] = {}
    unfinished: set[int] = set()
    while header := file.read(27):
        if len(header) < 27:
            return _truncated(_TRUNCATED_OGG)
        magic, flags, stream, number, checksum, n_segments = struct.unpack("<4sxB8xIIIB", header)
        if magic != b"OggS":
            return _DAMAGED_OGG
        lengths = file.read(n_segments)
        body = file.read(sum(lengths))
        if len(lengths) < n_segments or len(body) < sum(lengths):
            return _truncated(_TRUNCATED_OGG)
        if number != next_numbers.get(stream, number):
            return _DAMAGED_OGG
        if _ogg_checksum(header[:22] + bytes(4) + header[26:] + lengths + body) != checksum:
            return _DAMAGED_OGG
        next_numbers[stream] = number + 1
        (unfinished.discard if flags & 4 else unfinished.add)(stream)
    return _truncated(_TRUNCATED_OGG) if unfinished else None


def _ogg_checksum(page):
    reversed_checksum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_checksum:032b}"[::-1], 2)
