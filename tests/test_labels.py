"""Labels are 1 and -1. All other labels are refused."""

import numpy as np
import pandas as pd
import pytest

from skaudio_ad._labels import as_labels, is_anomalous


@pytest.mark.parametrize(
    "y",
    [
        [1, -1, 1],
        np.array([1.0, -1.0, 1.0]),
        np.array([1, -1, 1], dtype=np.int8),
        np.array([1, -1, 1], dtype=object),
        pd.Series([1, -1, 1], index=[5, 6, 7]),
    ],
    ids=["list", "floats", "int8", "objects", "series"],
)
def test_one_is_normal_and_minus_one_is_anomalous_in_any_container(y):
    assert is_anomalous(y).tolist() == [False, True, False]
    assert is_anomalous(y).dtype == bool
    assert as_labels(y).tolist() == [1, -1, 1]
    assert as_labels(y).dtype == np.int64


def test_labels_of_one_kind_and_empty_labels_are_accepted():
    assert is_anomalous([1, 1]).tolist() == [False, False]
    assert is_anomalous([]).tolist() == []


@pytest.mark.parametrize(
    ("y", "found", "way_out"),
    [
        ([0, 1], r"\[0, 1\]", "two ways: 1 is the fault in most data sets.*np.where"),
        ([0, 0], r"\[0\]", "two ways"),
        ([0.0, 1.0], r"\[0.0, 1.0\]", "two ways"),
        ([True, False], r"\[False, True\]", "two ways"),
        ([True, True], r"\[True\]", "two ways"),
        (np.array([True, -1], dtype=object), r"\[-1, True\]", "np.where"),
        (["normal", "fault"], r"\['fault', 'normal'\]", r'is_fault = np.asarray\(y\) != "normal"'),
        ([1, -1, 2], r"\[-1, 1, 2\]", r"np.where\(is_fault, -1, 1\)"),
        ([1.0, np.nan], r"\[1.0, nan\]", "np.where"),
        (range(10), r"\[0, 1, 2, 3, 4, 5, ...\]", "np.where"),
    ],
)
def test_another_coding_is_refused_and_the_error_shows_the_labels_and_the_conversion(y, found, way_out):
    rule = f"^target must hold 1 for normal and -1 for anomalous clips, got the labels {found}.*{way_out}"
    with pytest.raises(ValueError, match=rule):
        is_anomalous(y, name="target")
    with pytest.raises(ValueError, match=rule):
        as_labels(y, name="target")


def test_a_table_of_labels_is_refused():
    with pytest.raises(ValueError, match="1d array"):
        is_anomalous([[1, -1], [1, 1]])
