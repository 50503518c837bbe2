"""Series of paths in, data frames out: every pipeline that the pages, the README and the presets show."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    Augmenter,
    AutoencoderDetector,
    ClipScaler,
    FrameTransformer,
    LevelNormalizer,
    MelTransformer,
    MFCCTransformer,
    MobileNetEmbedding,
    ModuleEmbedding,
    NearestNeighborsDetector,
    PatchTransformer,
    SequencePredictorDetector,
    TemporalPooling,
    VAEDetector,
)
from skaudio_ad.presets import PRESETS, make_preset

pytestmark = [
    pytest.mark.filterwarnings("ignore:MobileNetEmbedding with weights=None has random weights"),
    pytest.mark.filterwarnings("ignore:.* so the Ledoit-Wolf covariance is used"),
]

N_CLIPS = 8
SMALL = {
    "autoencoder": {},
    "dcase_baseline": {},
    "dcase_mahalanobis": {},
    "dcase_mahalanobis_clip": {},
    "heart_lung": {},
    "dog_bark_vae": {"filters": (4, 2), "strides": 2, "latent_size": 2},
    "next_frame_lstm": {"hidden_size": 4},
    "window_gru": {"hidden_size": 4},
}


def network(output):
    return MobileNetEmbedding("mn01", weights=None, output=output, random_state=0)


def module(output):
    channels = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.AvgPool1d(400))
    return ModuleEmbedding(channels, sample_rate=16000, output=output, min_duration=0.1)


def preset_settings(name):
    """Settings of a preset that make its training fast. A detector on embeddings is not trained in epochs."""
    return {} if name.startswith("embedding_") else {"max_epochs": 1, **SMALL[name]}


# What is in front of the detector, whether it makes a table, and the detector.
PIPELINES = {
    "autoencoder": ([LevelNormalizer(), MelTransformer()], False, AutoencoderDetector(max_epochs=1)),
    "augmented": ([Augmenter(random_state=0), MelTransformer()], False, AutoencoderDetector(max_epochs=1)),
    "classical": (
        [MelTransformer(), TemporalPooling()],
        True,
        IsolationForest(n_estimators=5, random_state=0),
    ),
    "lazy": (
        [LevelNormalizer(), MelTransformer(lazy=True), TemporalPooling(), StandardScaler()],
        True,
        OneClassSVM(),
    ),
    "lazy frames": (
        [MelTransformer(lazy=True), ClipScaler("zscore", statistics="bin")],
        False,
        NearestNeighborsDetector(),
    ),
    "scaled": (
        [MFCCTransformer(), TemporalPooling("max"), ClipScaler(statistics="bin")],
        True,
        VAEDetector(hidden_sizes=(8,), latent_size=2, max_epochs=1),
    ),
    "embedding": ([network("clip"), StandardScaler()], True, NearestNeighborsDetector()),
    "frames": (
        [network("frames"), ClipScaler("zscore", statistics="bin")],
        False,
        NearestNeighborsDetector(),
    ),
    "pooled frames": ([network("frames"), TemporalPooling()], True, NearestNeighborsDetector()),
    "module": ([module("clip")], True, NearestNeighborsDetector()),
    "module's frames": ([module("frames"), TemporalPooling()], True, NearestNeighborsDetector()),
    "recurrent": (
        [MelTransformer(), ClipScaler("zscore", statistics="bin")],
        False,
        SequencePredictorDetector(hidden_size=4, max_epochs=1),
    ),
    **{name: (make_preset(name, duration=0.5, **preset_settings(name)), False, None) for name in PRESETS},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A data frame of paths, with an index that is no range."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    paths = [str(folder / f"{i}.wav") for i in range(N_CLIPS)]
    for path in paths:
        soundfile.write(path, 0.1 * rng.normal(size=8000), 16000, subtype="FLOAT")
    return pd.DataFrame({"path": paths, "machine": "fan"}, index=range(40, 40 - N_CLIPS, -1))


def assemble(name):
    steps, is_table, detector = PIPELINES[name]
    if detector is None:
        pipeline = clone(steps)
        if name == "embedding_mahalanobis":
            pipeline.set_params(
                embed__output="clip"
            )  # the covariance of its thousands of columns takes seconds
        is_table = (
            not {"pool", "embed"}.isdisjoint(pipeline.named_steps) and name != "embedding_beam"
        )  # grids
    else:
        rate = 32000 if isinstance(steps[0], MobileNetEmbedding) else 16000
        pipeline = make_pipeline(AudioLoader(rate), *map(clone, steps), clone(detector))
    if "random_state" in pipeline[-1].get_params():
        pipeline[-1].set_params(random_state=0)
    return pipeline, is_table


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.filterwarnings("ignore:the posterior collapsed")
def test_a_pipeline_takes_a_column_of_paths_and_gives_data_frames_where_its_output_has_two_axes(name, table):
    pipeline, is_table = assemble(name)
    expected = clone(pipeline).fit(table["path"].tolist())
    scores = expected.score_samples(table["path"].tolist())
    features = expected[:-1].transform(table["path"])
    assert isinstance(features, np.ndarray) == (name != "lazy frames")
    names = expected[:-1].get_feature_names_out()
    assert len(names) == (features.shape[1] if hasattr(features, "shape") else features[0].shape[0])

    named = clone(pipeline).set_output(transform="pandas").fit(table["path"])
    with config_context(transform_output="pandas"):
        named_by_all = clone(pipeline).fit(table["path"])
        made_by_all = named_by_all[:-1].transform(table["path"])
        np.testing.assert_array_equal(named_by_all.score_samples(table["path"]), scores)
    np.testing.assert_array_equal(named.score_samples(table["path"]), scores)
    for made in (named[:-1].transform(table["path"]), made_by_all):
        assert type(made) is (pd.DataFrame if is_table else type(features))
        np.testing.assert_array_equal(np.asarray(made), np.asarray(features))
        if is_table:
            assert made.columns.tolist() == names.tolist()


@pytest.mark.parametrize(
    "transformer",
    [
        AudioLoader(),
        LevelNormalizer(),
        Augmenter(random_state=0),
        FrameTransformer(frame_length=64, hop_length=64),
        MelTransformer(n_fft=64, n_mels=8),
        MelTransformer(n_fft=64, n_mels=8, lazy=True),
        make_pipeline(MelTransformer(n_fft=64, n_mels=8), PatchTransformer(2, 1)),
        make_pipeline(MelTransformer(n_fft=64, n_mels=8), Augmenter("time_mask", random_state=0)),
    ],
    ids=lambda transformer: str(transformer)[:40],
)
def test_what_is_no_table_stays_what_it_is(transformer, rng):
    X = rng.normal(size=(3, 2000))
    expected = clone(transformer).fit_transform(X)
    made = clone(transformer).set_output(transform="pandas").fit_transform(X)
    assert type(made) is type(expected)
    np.testing.assert_array_equal(np.asarray(made), np.asarray(expected))
    transformer.fit(X).get_feature_names_out()  # those of a pipeline can be asked for


def test_clips_of_different_lengths_stay_a_list(rng):
    X = [rng.normal(size=(3, n)) for n in (4, 6)]
    scaled = ClipScaler(statistics="bin").set_output(transform="pandas").fit_transform(X)
    assert [clip.shape for clip in scaled] == [(3, 4), (3, 6)]


def test_a_data_frame_keeps_its_index_and_a_copy_of_the_scaler_its_output(rng):
    frame = pd.DataFrame(rng.normal(size=(4, 2)), columns=["low", "high"], index=list("dbca"))
    scaler = clone(ClipScaler("zscore", statistics="bin").set_output(transform="pandas"))
    scaled = scaler.fit(frame).transform(frame)
    assert scaled.index.tolist() == list("dbca")
    assert scaled.columns.tolist() == scaler.get_feature_names_out().tolist() == ["low", "high"]
    assert isinstance(scaler.set_output(transform="default").transform(frame), np.ndarray)


def test_a_data_frame_of_one_column_holds_paths_as_well(table):
    assert AudioLoader().fit_transform(table[["path"]]).paths == table["path"].tolist()


def test_a_path_that_is_missing_in_a_column_is_named_by_its_place(table):
    with pytest.raises(ValueError, match="entry 2 is no path"):
        AudioLoader().fit_transform(table["path"].where(np.arange(N_CLIPS) != 2))
