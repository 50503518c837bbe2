import numpy as np
import pytest

from skaudio_ad._checks import check_number, check_option


@pytest.mark.parametrize(
    ("closed", "accepted"),
    [("both", [0, 0.5, 1]), ("left", [0, 0.5]), ("right", [0.5, 1]), ("neither", [0.5])],
)
def test_only_numbers_in_the_interval_are_accepted(closed, accepted):
    def is_accepted(value):
        try:
            check_number(value, "x", low=0, high=1, closed=closed)
        except ValueError:
            return False
        return True

    assert [v for v in (-0.1, 0, 0.5, 1, 1.1, float("nan")) if is_accepted(v)] == accepted


@pytest.mark.parametrize(
    ("bounds", "interval"),
    [
        ({"low": 1}, r"\[1, inf\]"),
        ({"low": 1, "high": 9, "closed": "left"}, r"\[1, 9\)"),
        ({"low": 1, "high": 9, "closed": "right"}, r"\(1, 9\]"),
        ({"low": 1, "closed": "neither"}, r"\(1, inf\)"),
    ],
)
def test_the_error_for_a_number_outside_gives_the_name_the_interval_and_the_value(bounds, interval):
    with pytest.raises(ValueError, match=rf"^n_mels must lie in {interval}, got -2\.$"):
        check_number(-2, "n_mels", **bounds)


@pytest.mark.parametrize(
    ("value", "options", "wanted"),
    [
        ("3", {}, "a number"),
        (True, {}, "a number"),
        (None, {}, "a number"),
        (2.0, {"integer": True}, "an integer"),
        (np.bool_(True), {"integer": True, "none": True}, "an integer or None"),
        ([1], {"none": True}, "a number or None"),
    ],
)
def test_the_error_for_a_value_that_is_not_a_number_gives_the_wanted_kind(value, options, wanted):
    with pytest.raises(TypeError, match=rf"^hop_length must be {wanted}, got "):
        check_number(value, "hop_length", **options)


def test_numpy_numbers_are_accepted():
    check_number(np.int64(3), "x", low=3, integer=True)
    check_number(np.float32(0.5), "x", high=1)
    check_number(None, "x", low=0, none=True)
    with pytest.raises(ValueError, match="x must lie in"):
        check_number(np.int64(2), "x", low=3, integer=True)


def test_the_error_for_an_unknown_option_lists_the_known_options():
    check_option(None, "norm", ("slaney", None))
    with pytest.raises(ValueError, match=r"^norm must be one of 'slaney', None, got 'l2'\.$"):
        check_option("l2", "norm", ("slaney", None))
