"""The memory of what is normal: what it changes in a detector, and what survives mistakes, kills and damage."""

import contextlib
import dataclasses
import os

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    BandMemoryDetector,
    FleetDetector,
    MahalanobisDetector,
    NearestNeighborsDetector,
    ShrinkageWhitener,
    ThresholdedDetector,
)
from skaudio_ad.monitoring import NormalMemory, Window, _memory_log
from skaudio_ad.recordings._events import Event

N_FEATURES = 6


def rows(n_rows, seed=0, shift=0.0):
    values = np.random.default_rng(seed).normal(size=(n_rows, N_FEATURES)) + shift
    return values.astype(np.float32)


def event(name="e1", start=100.0):
    return Event(name, "source", start, start + 20, start + 10, -9.0, 0.01, 3, "cleared", "normal again")


def window(start, features, score=-9.0, margin=-4.0, p_value=0.01, **values):
    return Window(start, start + 10, score, p_value, margin, features=features, **values)


@pytest.fixture(scope="module")
def ensemble():
    head = make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector())
    return ThresholdedDetector(head, cv=2, random_state=0).fit(rows(40))


@pytest.fixture
def memory(tmp_path, ensemble):
    memory = NormalMemory(tmp_path)
    memory.extend(ensemble)
    return memory


# Extending detectors


def test_the_score_is_the_larger_of_the_old_score_and_that_by_the_added_windows(tmp_path):
    old, added, new = rows(50), rows(5, seed=1, shift=4), rows(40, seed=2, shift=2)
    detector, memory = NearestNeighborsDetector().fit(old), NormalMemory(tmp_path)
    memory.extend(detector)
    memory.add(added, reason="confirmed")
    nearest = np.linalg.norm(new[:, np.newaxis].astype(float) - added, axis=2).min(axis=1)
    before = detector.score_samples(new)
    expected = np.maximum(before, -nearest)
    assert (expected > before).any()
    assert (expected == before).any()
    np.testing.assert_allclose(memory.extend(detector).score_samples(new), expected, rtol=1e-6)


def test_every_model_of_an_ensemble_grows_behind_its_own_whitening(memory, ensemble):
    added, new = rows(4, seed=1, shift=3), rows(30, seed=2, shift=2)
    memory.add(added, reason="confirmed")
    extended = memory.extend(ensemble)
    for model, grown in zip(ensemble.detectors_, extended.detectors_, strict=True):
        seen = model[0].transform(np.concatenate([new, added]))
        nearest = np.linalg.norm(seen[:30, np.newaxis] - seen[30:], axis=2).min(axis=1)
        expected = np.maximum(model.score_samples(new), -nearest)
        np.testing.assert_allclose(grown.score_samples(new), expected, rtol=1e-5)


def test_no_window_scores_lower_and_the_threshold_stays_so_that_the_false_alarm_rate_holds(memory, ensemble):
    memory.add(rows(20, seed=1, shift=1), reason="confirmed")
    extended, new = memory.extend(ensemble), np.concatenate([rows(200, seed=2), rows(200, seed=3, shift=1.5)])
    before, after = ensemble.score_samples(new), extended.score_samples(new)
    assert (after >= before).all()
    assert (after > before).any()
    assert extended.threshold_ == ensemble.threshold_
    assert (extended.predict(new) >= ensemble.predict(new)).all()


def test_the_detector_itself_is_not_changed(memory, ensemble):
    new = rows(30, seed=2, shift=2)
    before = ensemble.score_samples(new)
    memory.add(new, reason="confirmed")
    memory.extend(ensemble)
    np.testing.assert_array_equal(ensemble.score_samples(new), before)


@pytest.mark.parametrize(
    "detector",
    [
        NearestNeighborsDetector(5, metric="cosine"),
        make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector()),
        ThresholdedDetector(NearestNeighborsDetector(), cv=0.5, random_state=0),
        GridSearchCV(
            NearestNeighborsDetector(), {"n_neighbors": [1, 2]}, scoring=lambda e, X, y=None: 0.0, cv=2
        ),
        BandMemoryDetector(),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_detectors_with_a_bank_can_be_extended_wherever_the_bank_is(detector, tmp_path):
    memory, detector, odd = NormalMemory(tmp_path), detector.fit(rows(60)), rows(6, seed=1, shift=5)
    memory.extend(detector)
    memory.add(odd, reason="confirmed")
    assert (memory.extend(detector).score_samples(odd) > detector.score_samples(odd)).all()


def test_a_pipeline_from_recordings_keeps_its_steps_and_its_last_step_grows(tmp_path, ensemble):
    pipeline = make_pipeline(AudioLoader(16000), ensemble)
    memory = NormalMemory(tmp_path)
    memory.extend(pipeline)
    memory.add(rows(3, seed=1, shift=5), reason="confirmed")
    extended = memory.extend(pipeline)
    assert extended[0] is pipeline[0]
    expected = memory_scores(ensemble, rows(3, seed=1, shift=5))
    np.testing.assert_array_equal(extended[-1].score_samples(rows(3, seed=1, shift=5)), expected)


def memory_scores(ensemble, added):
    """Scores of the added rows by a hand-made extension of the models."""
    grown = ThresholdedDetector(ensemble.detector)
    vars(grown).update(vars(ensemble))
    grown.detectors_ = []
    for model in ensemble.detectors_:
        head = NearestNeighborsDetector().fit(np.asarray(model[1]._bank[:, :-1]))
        grown.detectors_.append(make_pipeline(model[0], head.partial_fit(model[0].transform(added))))
    return grown.score_samples(added)


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (IsolationForest(random_state=0), "IsolationForest has no bank.*Train the detector again"),
        (MahalanobisDetector(), "MahalanobisDetector has no bank"),
        (NearestNeighborsDetector(coreset_size=0.5), "coreset_size=0.5.*Train the detector again"),
    ],
    ids=["forest", "Mahalanobis", "coreset"],
)
def test_a_detector_whose_bank_cannot_grow_is_refused_before_anything_is_added(detector, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        NormalMemory(tmp_path).extend(detector.fit(rows(40)))


def test_a_fleet_is_refused_with_the_way_out(tmp_path):
    fleet = FleetDetector(NearestNeighborsDetector()).fit(rows(40), machines=[0, 1] * 20)
    with pytest.raises(ValueError, match=r"fleet\.detector_of"):
        NormalMemory(tmp_path).extend(fleet)


# The log


def test_an_undo_restores_the_scores_bit_for_bit_and_stays_in_the_log(memory, ensemble):
    new = rows(40, seed=3, shift=1)
    memory.add(rows(4, seed=1, shift=1), reason="confirmed", event="e1")
    between = memory.extend(ensemble).score_samples(new)
    memory.add(rows(4, seed=2, shift=1), reason="confirmed", event="e2")
    memory.undo("m2")
    np.testing.assert_array_equal(memory.extend(ensemble).score_samples(new), between)
    memory.undo("m1")
    np.testing.assert_array_equal(memory.extend(ensemble).score_samples(new), ensemble.score_samples(new))
    told = [(change.id, change.reason, change.event, change.undoes) for change in memory.changes]
    assert told == [
        ("m1", "confirmed", "e1", ""),
        ("m2", "confirmed", "e2", ""),
        ("m3", "undo", "e2", "m2"),
        ("m4", "undo", "e1", "m1"),
    ]
    assert all(change.who and change.version and change.time > 1e9 for change in memory.changes)


def test_only_an_addition_that_counts_can_be_undone(memory):
    memory.add(rows(2), reason="confirmed")
    memory.undo("m1")
    for name in ("m1", "m2", "m9", "../m1"):
        with pytest.raises(ValueError, match="no addition"):
            memory.undo(name)


def test_another_process_sees_a_change_once(memory, tmp_path):
    other = NormalMemory(tmp_path)
    assert not other.reload_if_changed()
    memory.add(rows(2), reason="confirmed")
    assert other.reload_if_changed()
    assert not other.reload_if_changed()
    assert [change.id for change in other.active] == ["m1"]
    assert memory.reload_if_changed()  # the process that has added windows extends its detector too
    other.undo("m1")
    assert memory.reload_if_changed()
    assert memory.active == []


def test_windows_of_another_detector_are_refused(memory, tmp_path):
    memory.add(rows(2), reason="confirmed")
    other = NearestNeighborsDetector().fit(rows(40, seed=9))
    with pytest.raises(ValueError, match=r"belongs to another detector.*m1.*another folder"):
        NormalMemory(tmp_path).extend(other)
    with pytest.raises(ValueError, match="belongs to another detector"):
        memory.add(rows(2), reason="confirmed", key="0" * 32)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.full((2, N_FEATURES), np.nan), "finite"),
        (np.empty((0, N_FEATURES)), "finite and of shape"),
        (np.zeros(N_FEATURES), "of shape"),
        (np.zeros((2, N_FEATURES + 1)), "takes 6 features, got windows of 7"),
        (np.zeros((2, N_FEATURES, 3)), r"holds windows of shape \(6,\)"),
    ],
    ids=["NaN", "no windows", "one axis", "another number of features", "frames"],
)
def test_bad_windows_are_refused_and_leave_no_trace(memory, features, message):
    memory.add(rows(1), reason="confirmed")
    before = sorted(os.listdir(memory.folder / "memory"))
    with pytest.raises(ValueError, match=message):
        memory.add(features, reason="confirmed")
    assert sorted(os.listdir(memory.folder / "memory")) == before
    assert len(NormalMemory(memory.folder).changes) == 1


def test_a_memory_that_does_not_know_its_detector_takes_no_windows(tmp_path):
    with pytest.raises(ValueError, match=r"call extend\(detector\) first"):
        NormalMemory(tmp_path).add(rows(1), reason="confirmed")


def test_a_full_memory_refuses_more_windows_and_says_what_to_do(tmp_path, ensemble):
    memory = NormalMemory(tmp_path, max_windows=5)
    memory.extend(ensemble)
    memory.add(rows(4), reason="confirmed")
    with pytest.raises(ValueError, match=r"holds 4 of at most 5 windows.*undo a change"):
        memory.add(rows(2), reason="confirmed")
    memory.undo("m1")
    assert memory.add(rows(5), reason="confirmed").n_windows == 5


# Kills and damage


class Killed(BaseException):
    """Ends the process, as far as a test can."""


@pytest.mark.parametrize("step", range(6))
def test_a_kill_at_any_step_leaves_the_old_memory_or_the_new_one(memory, ensemble, step, monkeypatch):
    memory.add(rows(2), reason="confirmed")
    n_done = 0

    def killing(function):
        def killed(*arguments, **settings):
            nonlocal n_done
            n_done += 1
            if n_done > step:
                raise Killed
            return function(*arguments, **settings)

        return killed

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "unlink"):
            patch.setattr(os, name, killing(getattr(os, name)))
        patch.setattr(_memory_log, "append_line", killing(_memory_log.append_line))
        with contextlib.suppress(Killed):
            memory.add(rows(3, seed=1), reason="confirmed")
    left = NormalMemory(memory.folder)
    left.extend(ensemble)
    sizes = [change.n_windows for change in left.active]
    assert sizes in ([2], [2, 3])
    left.undo("m1")  # takes the name of the file that a kill may have left
    left.add(rows(4, seed=2), reason="confirmed")
    left.extend(ensemble)
    assert [change.n_windows for change in left.active] == [*sizes[1:], 4]
    files = {path.stem for path in (memory.folder / "memory").glob("m*.npz")}
    assert files == {change.id for change in left.active}


def test_a_torn_last_line_is_no_change_and_the_next_writer_removes_it(memory, tmp_path):
    memory.add(rows(2), reason="confirmed")
    path = tmp_path / "memory" / "memory.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])
    other = NormalMemory(tmp_path)
    assert [change.id for change in other.changes] == ["m1"]
    other.undo("m1")
    assert [change.id for change in NormalMemory(tmp_path).changes] == ["m1", "m2"]
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b"\xff\n", b'{"id": "m2"}\n', b"\n"])
def test_a_damaged_line_is_an_error_that_names_the_file_and_the_line(memory, line):
    memory.add(rows(2), reason="confirmed")
    path = memory.folder / "memory" / "memory.jsonl"
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ValueError, match=r"memory\.jsonl: line 2 is damaged"):
        memory.reload_if_changed()


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")])
def test_a_lost_or_damaged_file_is_an_error_that_an_undo_mends(memory, ensemble, damage):
    memory.add(rows(2), reason="confirmed")
    damage(memory.folder / "memory" / "m1.npz")
    with pytest.raises(ValueError, match=r"m1\.npz: the features .* cannot be read .*--undo m1"):
        memory.extend(ensemble)
    memory.undo("m1")
    memory.extend(ensemble)


def test_a_full_disk_changes_nothing_and_is_an_error_that_names_the_file(memory, ensemble, monkeypatch):
    memory.add(rows(2), reason="confirmed")
    n_synced = 0

    def full(descriptor):
        nonlocal n_synced
        n_synced += 1
        if n_synced == 2:  # the features fit on the disk, the line does not
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"nothing was changed.*memory\.jsonl"):
        memory.add(rows(2, seed=1), reason="confirmed")
    assert len(NormalMemory(memory.folder).changes) == 1
    assert memory.add(rows(2, seed=1), reason="confirmed").id == "m2"


# Windows of events


def test_the_least_normal_windows_of_an_event_are_kept_and_known_by_any_name(memory):
    scores = np.random.default_rng(0).permutation(np.arange(-60.0, 0.0))
    windows = [window(5.0 * n, rows(1, seed=n)[0], score=score) for n, score in enumerate(scores)]
    odd = dataclasses.replace(event(), id="../../a b\n\udcff<script>")
    memory.keep(odd, [*windows, window(999.0, None)])
    kept = memory.events.load(odd.id)
    assert kept.event.start == odd.start
    assert len(kept.features) == 50
    assert kept.scores.max() == -11
    assert (np.diff(kept.starts) > 0).all()
    index = int(kept.starts[0] / 5)
    np.testing.assert_array_equal(kept.features[0], rows(1, seed=index)[0])
    assert os.listdir(memory.folder) == ["event_features"]


def test_the_oldest_of_too_many_events_are_deleted(memory, monkeypatch):
    monkeypatch.setattr("skaudio_ad.monitoring._event_features._MOST_EVENTS", 3)
    for n in range(5):
        memory.keep(event(f"e{n}", start=100.0 * n), [window(100.0 * n, rows(1)[0])])
        for path in (memory.folder / "event_features").glob("*.npz"):
            os.utime(path, ns=(0, int(np.load(path)["starts"][0]) * 10**9))
    assert [kept.event.id for kept in memory.events.load_all()] == ["e2", "e3", "e4"]


def test_a_damaged_file_of_an_event_is_named(memory):
    memory.keep(event(), [window(0.0, rows(1)[0])])
    (path,) = (memory.folder / "event_features").glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{path.name}.*Delete this file"):
        memory.events.load("e1")
    with pytest.warns(UserWarning, match="Delete this file"):
        assert memory.events.load_all() == []
    with pytest.raises(FileNotFoundError, match="'e2'"):
        memory.events.load("e2")
