"""What the report says about how a clip differs from its nearest normal clips."""

import json

import numpy as np
import pytest

from skaudio_ad import SoundQualities
from skaudio_ad.report._words import describe

NAMES, UNITS = SoundQualities.names, SoundQualities.units
# Qualities of five normal clips: loudness, sharpness, roughness, brightness, boominess and impulsiveness.
NORMALS = np.array(
    [
        [8.0, 1.20, 0.20, 800, 3.0, 2.0],
        [8.2, 1.25, 0.21, 820, 3.1, 3.0],
        [8.4, 1.30, 0.22, 840, 3.2, 4.0],
        [8.6, 1.35, 0.23, 860, 3.3, 4.5],
        [9.0, 1.40, 0.24, 900, 3.4, 4.9],
    ]
)


def changed(**changes):
    """Describe a clip that has the medians of the normal clips except for some qualities."""
    values = np.median(NORMALS, axis=0)
    for name, value in changes.items():
        values[NAMES.index(name)] = value
    return describe(NAMES, UNITS, values, NORMALS)


def texts(words):
    return {quality["name"]: quality["text"] for quality in words["qualities"]}


def test_every_quality_has_its_value_and_the_range_and_the_median_of_the_normal_clips():
    sharpness = changed(sharpness=2.1)["qualities"][1]
    text = sharpness.pop("text")
    assert sharpness == {
        "name": "sharpness",
        "unit": "acum",
        "value": 2.1,
        "low": 1.2,
        "median": 1.3,
        "high": 1.4,
    }
    assert text == "sharper than its 5 nearest normal recordings (2.10 acum against 1.20 to 1.40)"


def test_the_sentence_names_what_stands_out_and_begins_with_the_largest_difference():
    sentence = changed(loudness=12.0, sharpness=2.1, impulsiveness=9.2)["sentence"]
    assert sentence == (
        "This clip is sharper than its 5 nearest normal recordings (2.10 acum against 1.20 to 1.40), "
        "more impulsive (9.2 against 2.0 to 4.9) and louder (12.00 sone against 8.00 to 9.00)."
    )


@pytest.mark.parametrize(
    ("quality", "low", "high", "less", "more"),
    [
        ("loudness", 4.0, 16.0, "quieter", "louder"),
        ("sharpness", 0.6, 2.6, "less sharp", "sharper"),
        ("roughness", 0.1, 0.4, "smoother", "rougher"),
        ("brightness", 400, 1800, "darker", "brighter"),
        ("boominess", 1.5, 6.8, "less boomy", "boomier"),
    ],
)
def test_every_quality_has_words_for_more_and_for_less(quality, low, high, less, more):
    assert texts(changed(**{quality: low}))[quality].startswith(f"{less} than its")
    assert texts(changed(**{quality: high}))[quality].startswith(f"{more} than its")


@pytest.mark.parametrize(
    ("quality", "unnoticed", "noticed"),
    [
        ("loudness", 9.6, 9.7),  # 1 dB more than 9.0 sone is 9.65 sone
        ("loudness", 7.5, 7.4),
        ("sharpness", 1.47, 1.49),  # 0.08 acum
        ("roughness", 0.27, 0.29),  # 17 %
        ("brightness", 980, 1000),  # 10 %
        ("impulsiveness", 5.5, 5.6),  # 1 dB of the adjustment for a prominence above 5
    ],
)
def test_a_difference_counts_only_if_a_listener_notices_the_difference(quality, unnoticed, noticed):
    assert texts(changed(**{quality: unnoticed}))[quality].startswith("about as ")
    assert " than its 5 nearest" in texts(changed(**{quality: noticed}))[quality]


def test_the_just_noticeable_difference_of_smooth_sounds_is_not_a_fraction():
    normal = [[0.01], [0.02]]
    assert "about as rough" in describe(["roughness"], ["asper"], [0.05], normal)["qualities"][0]["text"]
    assert "rougher" in describe(["roughness"], ["asper"], [0.07], normal)["qualities"][0]["text"]


def test_onsets_below_a_prominence_of_five_are_alike():
    assert texts(changed(impulsiveness=0.0))["impulsiveness"].startswith("about as impulsive as its 5")


def test_a_sentence_says_that_nothing_stands_out():
    assert changed()["sentence"] == (
        "This clip does not differ noticeably from its 5 nearest normal recordings in loudness, sharpness, roughness, "
        "brightness, boominess and impulsiveness."
    )


@pytest.mark.parametrize(
    ("n_normals", "noted", "named"),
    [(1, "only one normal recording", "recording "), (2, "only 2", "2 nearest")],
)
def test_a_note_says_that_few_normal_clips_make_a_poor_range(n_normals, noted, named):
    words = describe(NAMES, UNITS, NORMALS[0] * 2, NORMALS[:n_normals])
    assert noted in words["note"]
    assert named in words["sentence"]
    assert "only" not in changed()["note"]


def test_without_normal_clips_the_values_stand_alone():
    words = describe(NAMES, UNITS, NORMALS[0], np.empty((0, 6)))
    assert words["sentence"] == "There is no normal recording to compare this clip with."
    assert texts(words)["loudness"] == "8.00 sone"
    assert words["qualities"][0]["median"] is None
    assert words["note"] == ""


def test_qualities_that_are_not_known_become_none_and_json_takes_all_numbers():
    values = np.where(np.array(NAMES) == "sharpness", np.nan, NORMALS[0] * 2).astype(np.float32)
    normals = NORMALS.copy()
    normals[2] = np.nan  # a normal clip that could not be read
    words = describe(NAMES, UNITS, values, normals)
    assert words["qualities"][1]["value"] is None
    assert texts(words)["sharpness"] == "not known"
    assert words["qualities"][0]["median"] == pytest.approx(8.4)  # of 8.0, 8.2, 8.6 and 9.0
    assert "its 4 nearest" in words["sentence"]
    json.dumps(words, allow_nan=False)
    nothing = describe(NAMES, UNITS, np.full(6, np.nan), normals)
    assert nothing["sentence"] == "The qualities of this clip are not known."


def test_other_qualities_get_plain_words():
    words = describe(["tonality"], [""], [0.9], [[0.1], [0.2]])
    assert words["sentence"] == (
        "This clip is higher in tonality than its 2 nearest normal recordings (0.90 against 0.10 to 0.20)."
    )


def test_shapes_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"6 names need .* got 6 units, values of shape \(5,\)"):
        describe(NAMES, UNITS, NORMALS[0, :5], NORMALS)
