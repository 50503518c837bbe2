"""Names of the recordings of DCASE Task 2 and of the sets with the same names, as anchored regular expressions."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

#: Split of every folder of a machine. `test_rename` holds copies of `test` that the official baseline has named anew.
SPLITS = {
    "train": "train",
    "test": "test",
    "source_test": "test",
    "target_test": "test",
    "test_rename": "test",
    "supplemental": "supplemental",
}
_LABELS = {"normal": 1, "anomaly": -1, None: 0}
_ID = r"id_(?P<section>\d{2})_(?P<index>\d{8})"
_SECTION = r"section_(?P<section>\d{2})"
_LABEL = r"_(?P<label>normal|anomaly)"
_INDEX = r"_(?P<index>\d{4})"
_TEXT = r"(?:_(?P<attributes>.*))?"
_TRAIN = rf"{_SECTION}_(?P<domain>source|target)_train_(?P<label>normal){_INDEX}{_TEXT}"
_TEST = rf"{_SECTION}_(?P<domain>source|target)_test{_LABEL}{_INDEX}{_TEXT}"
# The names that the organisers published for RoboticArm of 2024 lack the word "test".
_RENAMED = rf"{_SECTION}_(?P<domain>source|target)(?:_test)?{_LABEL}{_INDEX}{_TEXT}"
_UNLABELLED = rf"{_SECTION}(?:_test)?{_INDEX}"
# The published descriptions disagree about the order of the words. "machine" and "noise" are common to all.
_SUPPLEMENTAL = (
    rf"{_SECTION}(?:_(?P<domain>source|target))?_(?P<kind>machine|noise)(?:_(?:source|target|normal|supplemental))*"
    rf"{_INDEX}{_TEXT}",
    rf"{_SECTION}_(?P<domain>source|target)_supplemental_(?P<kind>machine|noise){_INDEX}{_TEXT}",
)


def _domain_test(domain):
    return tuple(
        rf"{_SECTION}_(?P<domain>{domain})_test{rest}" for rest in (rf"{_LABEL}{_INDEX}{_TEXT}", _INDEX)
    )


#: Patterns of the file names without ".wav", and one example, for every folder of every layout.
_NAMES = {
    "ids": {
        "train": ("normal_id_00_00000000", rf"(?P<label>normal)_{_ID}"),
        "test": ("anomaly_id_00_00000000", rf"(?P<label>normal|anomaly)_{_ID}", _ID),
        "test_rename": ("anomaly_id_01_00000000", rf"(?P<label>normal|anomaly)_{_ID}"),
    },
    "domain folders": {
        "train": ("section_00_source_train_normal_0000_strength_1_ambient", _TRAIN),
        "source_test": ("section_00_source_test_anomaly_0000", *_domain_test("source")),
        "target_test": ("section_00_target_test_anomaly_0000", *_domain_test("target")),
        # The scripts of the official baseline copy source_test and target_test into this folder.
        "test": ("section_00_source_test_anomaly_0000", *_domain_test("source|target")),
        "test_rename": ("section_03_source_test_anomaly_0000", _RENAMED),
    },
    "sections": {
        "train": ("section_00_source_train_normal_0000_vel_9", _TRAIN),
        "test": ("section_00_source_test_anomaly_0000_vel_9", _TEST, _UNLABELLED),
        "test_rename": ("section_00_source_test_anomaly_0000_vel_9", _RENAMED),
        "supplemental": ("section_00_machine_0000", *_SUPPLEMENTAL),
    },
}
# The mixer of ToyADMOS2 numbers its recordings with as many digits as its recipe says, five in the official recipes.
_NAMES["mixed"] = {
    folder: (
        example.replace("_0000", "_00001"),
        *(pattern.replace(_INDEX, r"_(?P<index>\d+)") for pattern in patterns),
    )
    for folder, (example, *patterns) in _NAMES["domain folders"].items()
    if folder not in ("test", "test_rename")
}
_COMPILED = {
    layout: {
        folder: [re.compile(pattern + r"\.wav") for pattern in patterns]
        for folder, (_, *patterns) in folders.items()
    }
    for layout, folders in _NAMES.items()
}
_RENAMED_ANY = [re.compile(pattern) for pattern in (_RENAMED, rf"(?P<label>normal|anomaly)_{_ID}")]
_UNLABELLED_FILE = re.compile(rf"{_UNLABELLED}\.wav")


class Name(NamedTuple):
    """What the name of a recording says."""

    section: str
    domain: str
    label: int
    attributes: str
    kind: str = ""


def folders_of(layout: str) -> list[str]:
    """Return the names of the folders of a machine in a layout."""
    return list(_NAMES[layout])


def example_of(layout: str, folder: str) -> str:
    """Return the name of a recording in a folder."""
    return f"{_NAMES[layout][folder][0]}.wav"


def parse_name(layout: str, folder: str, name: str) -> Name | None:
    """Read the name of a recording. Returns None if the name fits no pattern of the folder."""
    for pattern in _COMPILED[layout][folder]:
        if match := pattern.fullmatch(name):
            return _read(match)
    return None


def parse_full_name(name: str) -> Name | None:
    """Read the full name of an evaluation recording, as the published ground truth gives the name."""
    for pattern in _RENAMED_ANY:
        if match := pattern.fullmatch(name.removesuffix(".wav")):
            return _read(match)
    return None


def file_key(name: str) -> str:
    """Return the name of a recording without the word "test", which some archives add to `section_00_0000.wav`."""
    match = _UNLABELLED_FILE.fullmatch(name)
    return f"section_{match['section']}_{match['index']}.wav" if match else name


def _read(match):
    found = match.groupdict()
    kind = found.get("kind") or ""
    # A supplemental recording of the machine alone is a normal one. A recording of the noise holds no machine.
    label = 1 if kind == "machine" else _LABELS[found.get("label")]
    attributes = (found.get("attributes") or "").strip("_")
    if has_no_attributes(attributes):
        attributes = ""
    return Name(found["section"], found.get("domain") or "", label, attributes, kind)


def has_no_attributes(text: str | None) -> bool:
    """Return whether the organisers have replaced the attributes in a name by "noAttribute"."""
    return text in ("noAttribute", "noAttributes")


def expand_attributes(
    attributes: Iterable[str], *, keys: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Split the attributes of recordings into one column per key.

    Parameters
    ----------
    attributes : iterable of str of length n_clips
        Attributes as in the names of the recordings, such as ``"car_A2_spd_28V_mic_1"``. The column `attributes` of
        :func:`load_dcase_task2` holds these texts.
    keys : list of str or None, default=None
        Names of the keys. A key may contain "_", such as ``"mic_pos"``. None takes every other part of the text as
        a key: ``"vel_9_f-n_A"`` has the keys `vel` and `f-n`. Such a key must not end in a digit.

    Returns
    -------
    dict of {str: ndarray of shape (n_clips,), str}
        Values of every key, in the order of first appearance. The value is "" where a recording does not have the
        key. If a key stands twice in a text, its second value is in the column `key_2`: ``"mic_2_mic_1"`` fills the
        columns `mic` and `mic_2`.

    Raises
    ------
    ValueError
        If a text does not consist of keys and values. Some sets have attributes without a key, such as ``"BckgE"``.

    Examples
    --------
    >>> from skaudio_ad.datasets import expand_attributes
    >>> expand_attributes(["vel_9_f-n_A", "vel_12"])
    {'vel': array(['9', '12'], dtype='<U2'), 'f-n': array(['A', ''], dtype='<U1')}
    >>> expand_attributes(["mic_pos_B_grind_2"], keys=["mic_pos", "grind"])
    {'mic_pos': array(['B'], dtype='<U1'), 'grind': array(['2'], dtype='<U1')}
    """
    texts = [str(text) for text in attributes]
    if isinstance(keys, str):
        raise TypeError(f"keys must be a list of names, got {keys!r}.")
    if keys is not None:
        names = "|".join(re.escape(key) for key in sorted(keys, key=len, reverse=True))
        pattern = re.compile(rf"(?P<key>{names})_(?P<value>.+?)(?=_(?:{names})_|$)_?")
    columns: dict[str, list[str]] = {}
    for row, text in enumerate(texts):
        pairs = _pairs(text) if keys is None else _pairs_of(pattern, text)
        if pairs is None:
            raise ValueError(
                f"Attributes must be pairs of key and value, got {text!r} for recording {row}. "
                f"{'Name the keys: keys=[...].' if keys is None else f'The keys are {list(keys)!r}.'}"
            )
        seen: dict[str, int] = {}
        for key, value in pairs:
            seen[key] = seen.get(key, 0) + 1
            name = key if seen[key] == 1 else f"{key}_{seen[key]}"
            columns.setdefault(name, [""] * len(texts))[row] = value
    return {name: np.array(values) for name, values in columns.items()}


def _pairs(text):
    parts = text.split("_") if text else []
    pairs = list(zip(parts[::2], parts[1::2]))
    # In "spd1300_BckgE" no part is a key. Published keys do not end in a digit.
    return None if len(parts) % 2 or any(key[-1:].isdigit() for key, _ in pairs) else pairs


def _pairs_of(pattern, text):
    pairs, position = [], 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            return None
        pairs.append((match["key"], match["value"]))
        position = match.end()
    return pairs
