import pickle

import numpy as np
import pandas as pd
import pytest

from skaudio_ad._lazy import ClipError, LazySequence, collect, is_missing, map_collect, take

from .sources import Source, double


def test_a_loop_that_breaks_computes_few_further_items():
    source = Source(300, delays=(0.001,))
    for item in LazySequence(source):
        if item[0] == 2:
            break
    assert len(source.asked) < 20


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(1, 4),
        slice(None, None, -2),
        [3, 0, 3],
        [-1],
        np.array([4, 1]),
        np.array([True, False, True, False, True]),
        [False, True, False, False, False],
        [],
    ],
    ids=str,
)
def test_a_subset_of_a_lazy_sequence_holds_the_items_that_numpy_would_select(key):
    part = LazySequence(Source(5))[key]
    expected = [] if isinstance(key, list) and not key else np.arange(5)[key].tolist()
    assert isinstance(part, LazySequence)
    assert [int(item[0]) for item in part] == expected


def test_a_subset_of_a_subset_holds_the_right_items():
    lazy = LazySequence(Source(10)).map(double)[2:][::-1][np.array([0, 3])]
    assert [int(item[0]) for item in lazy] == [18, 12]


def test_an_index_may_count_from_the_end():
    lazy = LazySequence(Source(5))
    assert [int(lazy[i][0]) for i in (0, -1, np.int64(3), -5)] == [0, 4, 3, 0]


def test_scikit_learns_way_of_indexing_rows_is_understood():
    assert [int(item[0]) for item in LazySequence(Source(5))[np.array([4, 2]), ...]] == [4, 2]


@pytest.mark.parametrize("key", [5, -6, np.int64(7)])
def test_an_index_out_of_range_is_refused_with_the_number_of_clips(key):
    with pytest.raises(IndexError, match=rf"clip {key} does not exist: there are 5 clips"):
        LazySequence(Source(5))[key]


@pytest.mark.parametrize("key", [1.0, "a", [[0, 1]], [0.5]])
def test_an_index_of_another_kind_is_refused(key):
    with pytest.raises(TypeError, match="an int, a slice or a 1-D array"):
        LazySequence(Source(5))[key]


def test_a_boolean_index_of_another_length_is_refused():
    with pytest.raises(IndexError, match="one entry per clip: 3 for 5"):
        LazySequence(Source(5))[[True, False, True]]


def test_nothing_is_computed_before_access():
    computed = []

    def note(item):
        computed.append(float(item))
        return 2 * item

    lazy = LazySequence(LazySequence(list(np.arange(5.0))).map(note))[1:]
    assert len(lazy) == 4
    assert repr(lazy) == "<LazySequence of 4 clips>"
    assert computed == []
    assert lazy[2] == 6
    assert computed == [3]


def test_a_mapped_sequence_survives_pickling():
    lazy = pickle.loads(pickle.dumps(LazySequence(np.arange(6.0).reshape(3, 2)).map(double)))
    assert [item.tolist() for item in lazy] == [[0, 2], [4, 6], [8, 10]]


def test_an_error_on_access_names_the_clip_once():
    def refuse(item):
        raise ClipError("is too short.")

    nested = LazySequence(LazySequence(Source(3)).map(refuse)).map(double)
    with pytest.raises(ClipError, match=r"^clip 1: is too short\.$"):
        nested[1]
    with pytest.raises(ClipError, match=r"^clip 0: is too short\.$"):
        collect(nested)


def test_items_of_one_shape_are_gathered_into_an_array_of_float32():
    gathered = collect(LazySequence(Source(4)))
    assert gathered.dtype == np.float32
    assert gathered.tolist() == [[i] * 3 for i in range(4)]


def test_items_of_different_shapes_are_gathered_into_a_list():
    items = [np.full(3, 1.0), np.full(3, 2.0), np.full(2, 3.0), np.full(3, 4.0)]
    gathered = collect(items)
    assert isinstance(gathered, list)
    assert [item.tolist() for item in gathered] == [[1, 1, 1], [2, 2, 2], [3, 3], [4, 4, 4]]


@pytest.mark.parametrize("position", [0, 2, 3])
def test_a_missing_item_becomes_a_row_of_nan_with_the_shape_of_the_others(position):
    items = [np.full((2, 3), i, dtype=float) for i in range(4)]
    items[position] = np.full((2, 1), np.nan)
    gathered = collect(items)
    assert gathered.shape == (4, 2, 3)
    assert np.flatnonzero(np.isnan(gathered).all(axis=(1, 2))).tolist() == [position]
    rest = [i for i in range(4) if i != position]
    assert gathered[rest][:, 0, 0].tolist() == rest


def test_items_are_gathered_even_if_all_are_missing():
    assert np.isnan(collect([np.full(2, np.nan)] * 3)).tolist() == [[True, True]] * 3


def test_a_missing_item_keeps_its_place_among_items_of_different_shapes():
    gathered = collect([np.ones(3), np.full(1, np.nan), np.ones(2)])
    assert [bool(np.isnan(item).all()) for item in gathered] == [False, True, False]
    assert [len(gathered[0]), len(gathered[2])] == [3, 2]


def test_only_an_item_that_is_nan_throughout_is_missing():
    assert is_missing(np.full((2, 2), np.nan))
    assert not is_missing(np.array([np.nan, 1.0]))
    assert not is_missing(np.empty(0))


def test_a_missing_item_stays_missing_after_any_function():
    mapped = map_collect(np.nan_to_num, [np.ones(2), np.full(2, np.nan)])
    assert np.isnan(mapped).tolist() == [[False, False], [True, True]]


def test_a_missing_item_shorter_than_the_window_of_a_function_stays_missing():
    def pairs(item):
        if len(item) < 6:
            raise ClipError("is too short.")
        return item.reshape(-1, 2)

    mapped = map_collect(pairs, [np.full(1, np.nan), np.arange(8.0)])
    assert np.isnan(mapped[0]).all()
    assert mapped[1].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def no_first(item):
    return np.append(np.nan, item[1:])


def infinite_at_the_end(item):
    return np.append(item, np.inf)


def nothing_of(item):
    return item[:0]


def forgetful(item):
    double(item)


def words(item):
    return item.astype(str)


STEPS = {
    no_first: "is empty, or contains NaN or infinity, after no_first",
    infinite_at_the_end: "is empty, or contains NaN or infinity, after infinite_at_the_end",
    nothing_of: "is empty, or contains NaN or infinity, after nothing_of",
    forgetful: "is not an array of numbers after forgetful",
    words: "is not an array of numbers after words",
}


@pytest.mark.parametrize(("step", "message"), STEPS.items(), ids=[step.__name__ for step in STEPS])
def test_a_step_that_spoils_a_clip_is_named_with_the_clip(step, message):
    # The next step would spread the NaN over the clip, or raise another error.
    lazy = LazySequence(Source(3)).map(double).map(step).map(np.cumsum)
    for use in (lambda: lazy[2], lambda: LazySequence(lazy[2:]).map(double)[0]):
        with pytest.raises(ClipError, match=rf"^clip 2: {message}\. Mend this step"):
            use()
    with pytest.raises(ClipError, match=rf"^clip 0: {message}"):
        collect(lazy)


def test_a_step_may_turn_a_clip_into_a_missing_one():
    def without_the_second(item):
        return np.full(1, np.nan) if item[0] == 1 else item

    gathered = collect(LazySequence(Source(3)).map(without_the_second).map(double))
    assert np.isnan(gathered).all(axis=1).tolist() == [False, True, False]


def test_a_missing_item_stays_missing_after_a_step_that_returns_an_empty_array():
    def without_silence(item):
        return item[np.abs(item) > 0.1]

    lazy = LazySequence([np.array([0.0, 1.0]), np.full(2, np.nan)]).map(without_silence)
    assert lazy[0].tolist() == [1]
    assert is_missing(lazy[1])


def test_a_function_that_refuses_every_length_still_refuses_a_missing_item():
    def refuse(item):
        raise ClipError("is refused.")

    with pytest.raises(ClipError, match="clip 0: is refused"):
        map_collect(refuse, [np.full(1, np.nan)])


def test_an_array_of_a_lazy_sequence_has_the_type_asked_for():
    lazy = LazySequence(Source(3)).map(double)
    array = np.asarray(lazy, dtype=np.float64)
    assert array.dtype == np.float64
    assert array.tolist() == [[0, 0, 0], [2, 2, 2], [4, 4, 4]]


def test_an_array_of_clips_of_different_lengths_is_refused():
    lazy = LazySequence([np.zeros(3), np.zeros(5), np.zeros(4)])
    with pytest.raises(ValueError, match=r"shapes \(3,\) to \(5,\).*AudioLoader a duration and a pad"):
        np.asarray(lazy)


def test_an_array_without_a_copy_is_refused():
    with pytest.raises(ValueError, match="an array of them is a copy"):
        np.array(LazySequence(Source(2)), copy=False)


@pytest.mark.parametrize("kind", ["list", "tuple", "array", "Series", "DataFrame", "lazy"])
def test_take_selects_clips_from_any_container(kind):
    values = np.arange(12.0).reshape(6, 2)
    holders = {
        "list": list(values),
        "tuple": tuple(values),
        "array": values,
        "Series": pd.Series(list(values), index=range(10, 16)),
        "DataFrame": pd.DataFrame(values, index=range(10, 16)),
        "lazy": LazySequence(values),
    }
    taken = take(holders[kind], np.array([4, 0, 4]))
    np.testing.assert_array_equal(np.stack(list(np.asarray(taken))), values[[4, 0, 4]])
