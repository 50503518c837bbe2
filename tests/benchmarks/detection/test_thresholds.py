"""False alarms and detections of threshold selectors beside their promises."""

import csv
from functools import partial

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks.detection import machines, thresholds
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding

RATE, LENGTH = 32000, 16000

pytestmark = pytest.mark.filterwarnings("ignore:MobileNetEmbedding with weights=None")


def _two(seed):
    return {
        "1-NN": ("embeddings", make_pipeline(StandardScaler(), NearestNeighborsDetector())),
        "OneClassSVM": ("embeddings", make_pipeline(StandardScaler(), OneClassSVM())),
    }


@pytest.fixture
def random_weights(monkeypatch):
    """Use a network with random weights, which needs no file."""
    network = partial(MobileNetEmbedding, weights=None, random_state=0)
    monkeypatch.setattr(thresholds, "MobileNetEmbedding", network)
    monkeypatch.setattr(thresholds, "weights_path", lambda variant, *, download: None)


@pytest.fixture
def home(tmp_path):
    """MIMII's four types of machine: seven normal clips and two anomalous ones of each machine, half a second."""
    rng = np.random.default_rng(0)
    for machine in machines.MACHINES:
        for machine_id in ("id_00", "id_02", "id_04", "id_06"):
            for kind, n_clips in (("normal", 7), ("abnormal", 2)):
                place = tmp_path / "-6_dB" / machine / machine_id / kind
                place.mkdir(parents=True)
                for number in range(n_clips):
                    sound = rng.uniform(0.01, 0.1) * rng.normal(size=LENGTH)
                    soundfile.write(place / f"{number:08d}.wav", sound, RATE, subtype="FLOAT")
    return tmp_path


@pytest.fixture(scope="module")
def judged():
    """Decisions of every selector about 60 clips of two features. Half of the clips are far away from the others."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = np.repeat([1, -1], [70, 50])
    X[y == -1] += 30
    train, handful, test = (
        np.arange(40),
        np.arange(70, 75),
        np.concatenate([np.arange(40, 70), np.arange(75, 105)]),
    )
    model = make_pipeline(StandardScaler(), NearestNeighborsDetector())
    return thresholds.judge(model, X, y, train, handful, test, groups=np.arange(120) // 2)


def test_every_selector_finds_anomalies_that_are_far_away(judged):
    assert len(judged) == 1 + sum(map(len, thresholds.SELECTORS.values()))
    for key, found in judged.items():
        if "tpr" in key[1]:  # this selector aims at 0.8 on its handful of anomalies
            assert found[1][30:].any()
        elif key != ("in-sample", "GammaThreshold()"):
            assert found[1][30:].all(), key


def test_a_threshold_from_training_clips_calls_every_clip_anomalous(judged):
    # A training clip is its own nearest neighbour. All distances are 0, and a gamma distribution cannot be fitted.
    assert judged["in-sample", "QuantileThreshold()"][1].all()
    assert judged["in-sample", "GammaThreshold()"] is None
    for way in ("5 folds", "leave one out", "half", "5 folds by recording", "half by recording"):
        assert judged[way, "ConformalThreshold(alpha=0.1)"][1][:30].mean() < 0.4


def test_the_promise_depends_on_the_number_of_calibration_clips(judged):
    # The promise is the largest k / (n + 1) up to 0.1, for n of 40 clips or half of them.
    assert judged["5 folds", "ConformalThreshold(alpha=0.1)"][0] == pytest.approx(4 / 41)
    assert judged["half", "ConformalThreshold(alpha=0.1)"][0] == pytest.approx(2 / 21)


def test_the_handful_of_anomalies_is_neither_trained_on_nor_tested(home):
    for _, splits in thresholds.mimii(home, 3):
        for _, y, train, handful, test, _, _ in splits:
            assert (y[train] == 1).all()
            assert len(train) == 24
            assert (y[handful] == -1).all()
            assert len(handful) == 5
            assert (
                len(set(train) | set(handful) | set(test)) == len(train) + len(handful) + len(test) == len(y)
            )
        assert len({tuple(np.sort(train)) for _, _, train, *_ in splits}) == 3


def test_every_clip_has_the_same_weight_in_the_rates_for_any_number_of_tests():
    # Normal clip 0 alarms in one of two splits, normal clip 1 never. Anomaly 2 always alarms, anomaly 3 never.
    splits = [
        ("fan", np.array([0, 2]), np.array([1, -1]), 0.1, np.array([True, True])),
        ("fan", np.array([0, 1, 3]), np.array([1, 1, -1]), 0.1, np.array([False, False, False])),
        ("pump", np.array([0]), np.array([1]), 0.1, np.array([True])),
    ]
    alarms, detected = thresholds._rates(splits)
    assert alarms.startswith("50 % [")  # the clips have rates of a half, 0, and the rate of the pump
    assert detected == "50 % [0, 100]"


def test_a_row_has_the_promised_rate_and_the_number_of_refusals():
    key = ("half", "ConformalThreshold(alpha=0.1)")
    test, y = np.arange(4), np.array([1, 1, -1, -1])
    flagged = np.array([False, False, True, True])
    runs = {
        "one": [("a", test, y, {key: (0.08, flagged)}), ("b", test, y, {key: None})],
        "other": [("a", test, y, {key: None}), ("b", test, y, {key: None})],
    }
    assert thresholds.summarise(runs) == [
        {
            "scored by": "half",
            "selector": "ConformalThreshold(alpha=0.1)",
            "promised": "8.0%",
            "one: false alarms": "0 % [0, 0]; refused in 1 of 2 splits",
            "one: detected": "100 % [100, 100]",
            "other: false alarms": "refused",
            "other: detected": "",
        }
    ]


def test_without_the_weights_the_benchmark_says_where_it_looked(home, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    thresholds.main(["--data-home", str(home), "--output", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "left out: mn04" in said
    assert not (tmp_path / "out").exists()


def test_the_benchmark_goes_from_recordings_to_the_table_of_the_available_data(
    home, random_weights, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(thresholds, "detectors", _two)
    few = {"5 folds": thresholds.NORMAL_ONLY[:2], "in-sample": thresholds.NORMAL_ONLY[1:2]}
    monkeypatch.setattr(thresholds, "SELECTORS", dict.fromkeys(thresholds.SELECTORS, ()) | few)
    options = ["--variant=mn01", "--splits=1", "--jobs=1"]
    thresholds.main([f"--data-home={home}", *options, f"--output={tmp_path / 'out'}"])
    said = capsys.readouterr().out
    assert all(f"{name} is left out" in said for name in ("HLS-CMDS", "ESC-10"))
    with open(tmp_path / "out" / "thresholds-mimii.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scored by"] for row in rows] == ["the detector's own", "5 folds", "5 folds", "in-sample"]
    assert rows[-1]["1-NN: false alarms"] == "100 % [100, 100]"
    assert len(list((tmp_path / "out").glob("*.csv"))) == 1


@pytest.mark.real_data
def test_heart_sounds_and_esc10_are_split_without_copies_and_without_clips_of_one_recording_on_both_sides(
    data_home,
):
    for _, splits in thresholds.hls_cmds(data_home, 1):
        for _, y, train, handful, test, *_ in splits:
            assert (y[train] == 1).all()
            assert len(train) + len(handful) + len(test) == len(y) < 195
    ((_, splits),) = thresholds.esc10(data_home, 5)
    assert len(splits) == 50
    for _, y, train, handful, test, groups, _ in splits:
        assert len(train) == 32
        assert not set(groups[train]) & set(groups[test][y[test] == 1])
        assert not set(handful) & set(test)
