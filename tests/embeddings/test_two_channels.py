"""Recordings of two microphones: every channel is embedded by itself."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from joblib import parallel_config

import skaudio_ad.embeddings._embed_clips as chunks
from skaudio_ad import AudioLoader, ChannelResidual, LevelNormalizer, ModuleEmbedding
from skaudio_ad.audio import AudioReadWarning

from .small_backbones import SAMPLE_RATE


@pytest.fixture
def paths(tmp_path, rng):
    """Two recordings of two channels, and one of a single channel."""
    paths = []
    for index, shape in enumerate([(9000, 2), (16000, 2), (9000,)]):
        paths.append(str(tmp_path / f"{index}.wav"))
        soundfile.write(
            paths[-1], rng.uniform(-0.5, 0.5, shape).astype(np.float32), SAMPLE_RATE, subtype="FLOAT"
        )
    return paths


def load(paths, channel="near-far", **options):
    return AudioLoader(SAMPLE_RATE, channel=channel, **options).fit_transform(paths)


@pytest.fixture
def embedded(monkeypatch):
    """A list that grows by one with every waveform that goes through the network."""
    numbers, batches = [], chunks._embed_in_batches

    def spy(clips, loaded, plan):
        for embedding in batches(clips, loaded, plan):
            numbers.append(1)
            yield embedding

    monkeypatch.setattr(chunks, "_embed_in_batches", spy)
    return numbers


@pytest.mark.parametrize("output", ["clip", "frames", "grid", ["clip", "multilevel"]])
def test_the_embeddings_of_the_channels_stand_one_after_the_other(make, paths, output):
    embedding = make(output=output)
    near, far = (
        embedding.fit(load(paths[:2], channel)).transform(load(paths[:2], channel)) for channel in (0, 1)
    )
    made = embedding.fit(load(paths[:2])).transform(load(paths[:2]))
    assert embedding.n_channels_ == 2
    for index in range(2):
        np.testing.assert_allclose(
            made[index], np.concatenate([near[index], far[index]]), rtol=1e-4, atol=1e-5
        )
    streamed = list(embedding.stream(load(paths[:2])))
    np.testing.assert_array_equal(streamed[1], made[1])


def test_names_tell_the_channels_apart(make, paths):
    embedding = make().set_output(transform="pandas")
    alone = embedding.fit(load(paths[:2], 0)).get_feature_names_out()
    table = embedding.fit_transform(load(paths[:2]))
    assert isinstance(table, pd.DataFrame)
    assert list(table) == [f"near_{name}" for name in alone] + [f"far_{name}" for name in alone]
    residual = ChannelResidual(0.5).set_output(transform="pandas").fit_transform(table)
    assert list(residual) == [f"residual_{name}" for name in alone]
    values = table.to_numpy()
    np.testing.assert_allclose(residual, values[:, :96] - 0.5 * values[:, 96:], rtol=1e-6)
    frames = make(output="frames").fit(load(paths[:1]))
    assert len(frames.get_feature_names_out()) == frames.transform(load(paths[:1])).shape[1]


def test_the_cache_serves_pairs_and_single_channels(make, paths, tmp_path, embedded):
    kept = make(memory=tmp_path / "kept")
    near = kept.fit(load(paths[:2], 0)).transform(load(paths[:2], 0))
    assert len(embedded) == 2
    made = kept.fit(load(paths[:2])).transform(load(paths[:2]))
    assert len(embedded) == 4  # only the far channels are new
    np.testing.assert_array_equal(made[:, :96], near)
    far = kept.fit(load(paths[:2], 1)).transform(load(paths[:2], 1))
    assert len(embedded) == 4
    np.testing.assert_array_equal(made[:, 96:], far)
    kept.fit(load(paths[:2])).transform(load(paths[:2][::-1]))
    assert len(embedded) == 4
    level = LevelNormalizer()
    levelled = kept.transform(level.fit_transform(load(paths[:2])))
    np.testing.assert_array_equal(levelled, kept.transform(level.fit_transform(load(paths[:2]))))
    assert len(embedded) == 8
    np.testing.assert_allclose(
        levelled, make().transform(level.transform(load(paths[:2]))), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("memory", [False, True])
def test_a_recording_of_one_channel_is_a_row_of_nan(make, paths, tmp_path, memory):
    embedding = make(memory=tmp_path / "kept" if memory else None)
    clips = load([paths[2], *paths[:2]], on_error="skip")
    with pytest.warns(AudioReadWarning, match=r"2\.wav: has 1 channel"):
        made = embedding.fit(clips).transform(clips)
    assert made.shape == (3, 192)
    assert np.isnan(made).all(axis=1).tolist() == [True, False, False]
    assert np.isfinite(made[1:]).all()
    residual = ChannelResidual().fit_transform(made)
    assert np.isnan(residual).all(axis=1).tolist() == [True, False, False]
    with pytest.raises(ValueError, match=r"2\.wav: has 1 channel"):
        embedding.transform(load(paths))


def test_chunks_of_clips_hold_both_channels(make, paths):
    clips = load(paths[:2])
    embedding = make(batch_size=1)
    with parallel_config("threading"):
        made = embedding.set_params(n_jobs=2).fit(clips).transform(clips)  # a chunk holds one clip
    np.testing.assert_array_equal(made, embedding.set_params(n_jobs=1).transform(clips))


def test_other_numbers_of_channels_than_in_fit_are_refused(make, paths):
    embedding = make().fit(load(paths[:2]))
    with pytest.raises(
        ValueError, match=r"fitted on clips of 2 channel\(s\), got <AudioClips.* of 1:.*AudioLoader"
    ):
        embedding.transform(np.ones((1, 9000), dtype=np.float32))


def test_a_module_of_the_user_embeds_both_channels():
    module = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.AvgPool1d(50))
    embedding = ModuleEmbedding(module, sample_rate=100)
    X = np.arange(400, dtype=np.float32).reshape(1, 2, 200)
    made = embedding.fit_transform(AudioLoader(100, channel="near-far").fit_transform(X))
    np.testing.assert_allclose(made, X.mean(axis=2), rtol=1e-6)
