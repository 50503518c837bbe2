"""Tables of paths in, tables with scores and decisions out."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad.presets import DetectorPipeline


@pytest.fixture
def pipeline():
    steps = [AudioLoader(16000), MelTransformer(n_fft=256, hop_length=128, n_mels=16), TemporalPooling()]
    return DetectorPipeline(
        [*((str(i), step) for i, step in enumerate(steps)), ("nn", NearestNeighborsDetector())]
    )


def test_a_table_gets_the_scores_and_decisions_of_the_pipeline_and_errors_without_a_decision(
    pipeline, write_wavs
):
    paths = write_wavs([4000] * 24)
    pipeline.fit(paths[:20])
    score = pickle.loads(pickle.dumps(pipeline.batch_function(error_column="fault")))
    made = score({"path": [paths[0], None, *paths[20:], "gone.wav"], "n": np.arange(7)})
    assert list(made) == ["path", "n", "score", "decision", "p_value", "fault"]
    scored = [paths[0], *paths[20:]]
    kept = [0, 2, 3, 4, 5]
    np.testing.assert_allclose(made["score"][kept], pipeline.score_samples(scored), rtol=1e-6)
    assert made["decision"].tolist() == [
        int(np.insert(pipeline.predict(scored), 1, 0)[i]) if i < 6 else 0 for i in range(7)
    ]
    assert [bool(fault) for fault in made["fault"]] == [False, True, False, False, False, False, True]
    assert np.isnan(made["score"][[1, 6]]).all()
    assert np.isfinite(made["p_value"][kept]).all()


def test_a_pipeline_that_is_not_fitted_or_reads_no_files_is_refused_before_any_worker_starts(pipeline):
    with pytest.raises(NotFittedError):
        pipeline.batch_function()
    rows = DetectorPipeline([("nn", NearestNeighborsDetector())]).fit(
        np.random.default_rng(0).normal(size=(30, 3))
    )
    with pytest.raises(ValueError, match="begins with AudioLoader"):
        rows.batch_function()
