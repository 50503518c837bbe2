import json
import re

import numpy as np
import pytest

from skaudio_ad.recordings import AlarmPolicy, EventFinder, find_events

NAN = float("nan")
# Scores of a window below the raise level, between the levels, at the clear level, and without a score.
SCORES = {"L": -3.0, "M": -1.5, "N": -1.0, "X": NAN}


def policy(**changes):
    return AlarmPolicy(**{"raise_level": -2.0, "clear_level": -1.0, "refractory": 0.0, **changes})


def events(letters, hop=1.0, window=1.0, **changes):
    starts = np.arange(len(letters)) * hop
    scores = [SCORES[letter] for letter in letters]
    return find_events(starts, starts + window, scores, policy(**changes), source="a")


def spans(found):
    return [(event.start, event.end) for event in found]


@pytest.mark.parametrize("n_raise", [1, 2, 3])
def test_events_are_those_of_a_regular_expression(n_raise):
    rng = np.random.default_rng(n_raise)
    pattern = re.compile(f"L(?:X*L){{{n_raise - 1}}}[LMX]*")
    n_found = 0
    for _ in range(200):
        letters = "".join(rng.choice(list("LMNX"), 40, p=[0.4, 0.2, 0.3, 0.1]))
        expected = [(match.start(), match.end()) for match in pattern.finditer(letters)]
        found = events(letters, n_raise=n_raise)
        assert spans(found) == expected
        assert [event.n_windows for event in found] == [end - start for start, end in expected]
        n_found += len(found)
    assert n_found > 300


def test_an_alarm_is_raised_by_the_last_of_n_raise_windows_and_starts_with_the_first():
    finder = EventFinder(policy(n_raise=2), "a")
    assert finder.push(0, 10, -3) == []
    assert not finder.is_open
    (raised,) = finder.push(5, 15, -4, 0.01, 100.0, 200.0)
    assert finder.is_open
    assert (raised.state, raised.start, raised.end, raised.reason) == ("raised", 0, 15, "")
    assert (raised.score, raised.p_value, raised.worst_time) == (-4, 0.01, 10)
    assert (raised.low_hz, raised.high_hz) == (100.0, 200.0)
    (cleared,) = finder.push(10, 20, -1)
    assert not finder.is_open
    assert (cleared.id, cleared.state, cleared.end) == (raised.id, "cleared", 15)
    assert cleared.reason == "normal again"


def test_an_event_that_is_shorter_than_the_minimum_is_not_reported_but_counted():
    assert spans(events("NLLNLLLLN", min_duration=3)) == [(4, 8)]
    finder = EventFinder(policy(min_duration=3), "a")
    for time, letter in enumerate("NLLNMN"):
        assert finder.push(time, time + 1, SCORES[letter]) == []
    assert finder.n_suppressed == 2


def test_an_event_ends_at_the_maximum_duration_and_the_next_one_waits_for_a_normal_window():
    found = events("LLLLLLMLNLN", max_duration=3)
    assert spans(found) == [(0, 3), (9, 10)]
    assert [event.reason for event in found] == ["maximum duration", "normal again"]
    finder = EventFinder(policy(max_duration=3), "a")
    for time in range(7):
        finder.push(time, time + 1, -3)
    assert finder.n_suppressed == 4


def test_a_fault_within_the_refractory_time_is_raised_only_if_it_outlasts_this_time():
    assert spans(events("LNLLNNNNN", refractory=5)) == [(0, 1)]
    assert spans(events("LNLLLLLLN", refractory=5)) == [(0, 1), (2, 8)]
    finder = EventFinder(policy(refractory=5), "a")
    raised_at = []
    for time, letter in enumerate("LNLLNNLLN"):
        for event in finder.push(time, time + 1, SCORES[letter]):
            raised_at += [time] if event.state == "raised" else []
    assert (raised_at, finder.n_suppressed) == ([0, 6], 2)


def test_a_window_without_a_score_neither_raises_nor_clears():
    assert events("XXX") == []
    assert spans(events("LXXN")) == [(0, 3)]
    assert spans(events("LXLN", n_raise=2)) == [(0, 3)]


def test_a_gap_ends_the_event_and_forgets_a_run_that_was_not_raised():
    finder = EventFinder(policy(n_raise=2), "a")
    finder.push(0, 1, -3)
    assert finder.interrupt(5) == []
    assert finder.push(5, 6, -3) == []
    assert len(finder.push(6, 7, -3)) == 1
    (cleared,) = finder.interrupt(9, "the source was lost")
    assert (cleared.state, cleared.end, cleared.reason) == ("cleared", 7, "the source was lost")
    assert finder.interrupt(9) == []


def test_a_clock_that_is_set_back_does_not_silence_the_alarm_for_hours():
    finder = EventFinder(policy(refractory=60), "a")
    finder.push(10_000, 10_001, -3)
    finder.push(10_001, 10_002, 0)
    with pytest.raises(ValueError, match="call interrupt first"):
        finder.push(100, 101, -3)
    finder.interrupt(100)
    assert finder.push(130, 131, -3) == []
    assert finder.push(131, 132, 0) == []
    assert len(finder.push(170, 171, -3)) == 1


def test_a_finder_that_goes_on_from_its_state_gives_the_same_events_at_every_position():
    rng = np.random.default_rng(0)
    made = policy(n_raise=2, min_duration=4, max_duration=9, refractory=6)
    for letters in rng.choice(list("LMNXG"), (6, 60), p=[0.45, 0.2, 0.2, 0.1, 0.05]):
        whole, states, expected = EventFinder(made, "a"), [], []
        for time, letter in enumerate(letters):
            states.append(json.dumps(whole.get_state()))
            expected.append(step(whole, time, letter))
        assert sum(map(len, expected)) > 2
        for position, state in enumerate(states):
            resumed = EventFinder(made, "a")
            resumed.set_state(json.loads(state))
            rest = [step(resumed, time, letters[time]) for time in range(position, len(letters))]
            assert repr(rest) == repr(expected[position:])  # repr, because NaN differs from NaN
            assert resumed.n_suppressed == whole.n_suppressed


def step(finder, time, letter):
    if letter == "G":
        return finder.interrupt(time)
    return finder.push(time, time + 2, SCORES[letter], p_value=0.5 if letter == "L" else NAN)


def test_names_of_events_depend_on_source_and_start_only():
    (first,), (again,) = events("NLN"), events("NLLN")
    (other,) = events("LN")
    elsewhere = find_events([1], [2], [-3], policy(), source="b")[0]
    assert first.id == again.id
    assert len({first.id, other.id, elsewhere.id}) == 3


def test_a_state_of_another_policy_or_no_state_is_refused():
    finder = EventFinder(policy(), "a")
    with pytest.raises(ValueError, match="another source or policy"):
        finder.set_state(EventFinder(policy(n_raise=2), "a").get_state())
    with pytest.raises(ValueError, match="start without it"):
        finder.set_state({"source": "a"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clear_level": -2.5}, "clear_level must be at least"),
        ({"raise_level": NAN}, "raise_level must"),
        ({"n_raise": 0}, "n_raise must"),
        ({"max_duration": 1, "min_duration": 2}, "max_duration must be at least"),
        ({"refractory": -1}, "refractory must"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        policy(**changes)


def test_windows_with_wrong_times_are_refused():
    finder = EventFinder(policy(), "a")
    for start, end in ((1, 1), (NAN, 2), (0, float("inf"))):
        with pytest.raises(ValueError, match="start < end"):
            finder.push(start, end, 0)
    with pytest.raises(ValueError, match="one entry for every window"):
        find_events([0], [1], [0, 1], policy())
