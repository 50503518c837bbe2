"""`ThresholdedDetector` with clips that could not be read, and with clips in any container."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import (
    KFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    MelTransformer,
    NearestNeighborsDetector,
    TemporalPooling,
    ThresholdedDetector,
)


@pytest.mark.filterwarnings("ignore:the models of the folds score clips on another scale:UserWarning")
@pytest.mark.parametrize("ensemble", ["auto", False])
@pytest.mark.parametrize("cv", [5, 0.5, KFold(5)], ids=["int", "fraction", "splitter"])
def test_missing_clips_are_kept_from_training_and_calibrating_with_a_warning_and_are_never_normal(
    cv, ensemble
):
    data = np.random.default_rng(0).normal(size=(60, 3))
    data[[3, 50]] = np.nan
    detector = ThresholdedDetector(OneClassSVM(), cv=cv, ensemble=ensemble, random_state=0)
    with pytest.warns(UserWarning, match="2 of 60 clips could not be read and have no score"):
        detector.fit(data)
    assert not {3, 50} & set(detector.calibration_indices_)
    assert np.isfinite(detector.calibration_scores_).all()
    assert np.isnan(detector.score_samples(data)).nonzero()[0].tolist() == [3, 50]
    assert np.isnan(detector.p_values(data)).nonzero()[0].tolist() == [3, 50]
    assert detector.predict(data)[[3, 50]].tolist() == [-1, -1]
    assert detector.predict(data[[3]]).tolist() == [-1]
    table = pd.DataFrame(data, columns=["a", "b", "c"])
    with pytest.warns(UserWarning, match="2 of 60"):
        assert clone(detector).fit_predict(table)[[3, 50]].tolist() == [-1, -1]


@pytest.mark.parametrize("table", [pd.DataFrame, np.asarray])
def test_missing_rows_do_not_reach_the_first_step_of_a_pipeline(table):
    data = np.random.default_rng(0).normal(size=(60, 3))
    broken = data.copy()
    broken[[3, 50]] = np.nan
    pipeline = make_pipeline(PCA(2), OneClassSVM())  # PCA takes no NaN
    with pytest.warns(UserWarning, match="2 of 60 clips could not be read"):
        detector = ThresholdedDetector(pipeline, cv=0.5, random_state=0).fit(table(broken))
    scores = detector.score_samples(table(broken))
    assert np.isnan(scores).nonzero()[0].tolist() == [3, 50]
    np.testing.assert_array_equal(
        np.delete(scores, [3, 50]), detector.detector_.score_samples(table(np.delete(data, [3, 50], axis=0)))
    )
    assert np.isnan(detector.score_samples(table(broken[[3, 50]]))).all()


def test_a_forest_in_a_pipeline_does_not_take_a_file_that_could_not_be_read_for_normal(write_wavs, tmp_path):
    # By itself it scores a row of NaN as any other.
    paths = write_wavs([4000] * 24)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no recording")
    pipeline = make_pipeline(
        AudioLoader(16000, on_error="skip"),
        MelTransformer(),
        TemporalPooling(),
        IsolationForest(random_state=0),
    )
    detector = ThresholdedDetector(pipeline).fit(paths)
    with pytest.warns(UserWarning, match=r"broken\.wav") as caught:
        scores = detector.score_samples([paths[0], str(broken)])
    assert (
        len([w for w in caught if "broken" in str(w.message)]) == 1
    )  # features are made once for five models
    np.testing.assert_allclose(scores, [detector.score_samples(paths[:1])[0], np.nan])
    with pytest.warns(UserWarning, match=r"broken\.wav"):
        assert detector.predict([str(broken)]).tolist() == [-1]


@pytest.mark.filterwarnings("ignore:.*could not be read.*:UserWarning", "ignore:.*broken.wav.*")
def test_paths_clips_and_lists_of_arrays_are_split_alike(write_wavs, tmp_path):
    paths = write_wavs([4000, 4200] * 12)
    (tmp_path / "broken.wav").write_bytes(b"no recording")
    paths.insert(5, str(tmp_path / "broken.wav"))
    loader = AudioLoader(16000, on_error="skip")
    detector = NearestNeighborsDetector()
    features = make_pipeline(MelTransformer(), TemporalPooling())
    clips = loader.fit_transform(paths)
    spectrograms = MelTransformer().fit_transform(clips)
    cv = KFold(4, shuffle=True, random_state=0)
    fitted = [
        ThresholdedDetector(make_pipeline(loader, *clone(features), detector), cv=cv).fit(paths),
        ThresholdedDetector(make_pipeline(loader, *clone(features), detector), cv=cv).fit(np.array(paths)),
        ThresholdedDetector(make_pipeline(*clone(features), detector), cv=cv).fit(clips),
        ThresholdedDetector(make_pipeline(TemporalPooling(), detector), cv=cv).fit(spectrograms),
        ThresholdedDetector(detector, cv=cv).fit(features.fit_transform(clips)),
    ]
    assert isinstance(spectrograms, list)
    for other in fitted:
        assert 5 not in other.calibration_indices_
        assert len(other.calibration_scores_) == 24
        np.testing.assert_allclose(other.calibration_scores_, fitted[0].calibration_scores_, rtol=1e-4)
