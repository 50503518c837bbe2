"""Clips in searches, splits and cross-validations of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioClips,
    AudioLoader,
    MelTransformer,
    TemporalPooling,
)


@pytest.fixture
def machine(tmp_path, rng):
    """Wavs of noise (normal, 1) and of noise with a tone (anomalous, -1). A clip lasts 0.5 s at 8 kHz."""
    paths, labels = [], []
    tone = 0.05 * np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000)
    for index in range(16):
        anomalous = index % 4 == 3
        path = tmp_path / f"machine_{index:02d}.wav"
        noise = 0.1 * rng.standard_normal(4000)
        soundfile.write(path, noise + tone if anomalous else noise, 8000, subtype="FLOAT")
        paths.append(str(path))
        labels.append(-1 if anomalous else 1)
    return paths, np.array(labels)


def area(estimator, X, y):
    return roc_auc_score(y, estimator.decision_function(X))


def mel_and_forest(*steps):
    return make_pipeline(
        *steps,
        MelTransformer(8000, n_fft=256, hop_length=128, n_mels=16),
        TemporalPooling(),
        IsolationForest(n_estimators=10, random_state=0),
    )


def test_a_grid_search_over_the_loader_gives_the_scores_of_a_manual_loop(machine):
    paths, y = machine
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    durations = [0.1, 0.5]
    search = GridSearchCV(
        mel_and_forest(AudioLoader(8000)),
        {"audioloader__duration": durations},
        scoring=area,
        cv=cv,
        error_score="raise",
    ).fit(paths, y)
    for i, duration in enumerate(durations):
        samples = np.stack(
            [soundfile.read(path, dtype="float32")[0][: round(duration * 8000)] for path in paths]
        )
        for fold, (train, test) in enumerate(cv.split(samples, y)):
            expected = area(mel_and_forest().fit(samples[train]), samples[test], y[test])
            assert search.cv_results_[f"split{fold}_test_score"][i] == expected
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def test_scikit_learn_splits_clips_as_it_splits_arrays(machine):
    paths, y = machine
    clips = AudioLoader(8000).fit_transform(paths)
    samples = np.asarray(clips)
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    assert (
        cross_val_score(mel_and_forest(), clips, y, scoring=area, cv=cv, error_score="raise").tolist()
        == cross_val_score(mel_and_forest(), samples, y, scoring=area, cv=cv).tolist()
    )
    train, test = train_test_split(clips, random_state=0)
    expected_train, expected_test = train_test_split(paths, random_state=0)
    assert isinstance(train, AudioClips)
    assert (train.paths, test.paths) == (expected_train, expected_test)


@pytest.mark.parametrize(
    "kind",
    [
        tuple,
        np.array,
        lambda p: np.array(p, dtype=object),
        lambda p: pd.Series(p, index=range(40, 24, -1)),
        # dtype=object, because scikit-learn cannot take rows of an Index of Arrow strings (with pyarrow).
        lambda p: pd.Index(p, dtype=object),
    ],
    ids=["tuple", "str array", "object array", "Series", "Index"],
)
def test_paths_in_any_container_give_the_scores_of_a_list(machine, kind):
    paths, y = machine
    pipeline = mel_and_forest(AudioLoader(8000))
    expected = pipeline.fit(paths).score_samples(paths)
    np.testing.assert_array_equal(pipeline.fit(kind(paths)).score_samples(kind(paths)), expected)
    scores = cross_val_score(pipeline, kind(paths), y, scoring=area, cv=4, error_score="raise")
    assert scores.tolist() == cross_val_score(pipeline, paths, y, scoring=area, cv=4).tolist()
