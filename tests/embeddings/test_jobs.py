"""Many clips, and several processes: joblib, Dask, failures elsewhere, memory."""

import os
import pickle
import tracemalloc
from pathlib import Path
from unittest import mock

import joblib
import numpy as np
import pytest

from skaudio_ad import AudioClips, AudioLoader, LevelNormalizer
from skaudio_ad._lazy import LazySequence
from skaudio_ad.audio import AudioReadWarning

from .small_backbones import SAMPLE_RATE, assert_equal_up_to_rounding, noise


@pytest.fixture
def paths(write_wavs):
    return write_wavs([9000, 16000, 4000, 9000, 70_000, 5000], sample_rate=SAMPLE_RATE)


@pytest.mark.processes
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.parametrize("output", ["clip", "frames"])
def test_several_processes_embed_as_one_does(make, paths, backend, output):
    embedding = make("mobilenet", output, batch_size=2)
    expected = embedding.fit(paths).transform(paths)
    with joblib.parallel_config(backend=backend):
        made = embedding.set_params(n_jobs=2).transform(paths)
    assert type(made) is type(expected)
    assert_equal_up_to_rounding(made, expected)


@pytest.mark.processes
def test_a_saved_embedding_embeds_alike_in_another_process(make):
    clips = noise(0.3, 0.2)
    embedding = make().fit(clips)
    with joblib.parallel_config(backend="loky"):
        (elsewhere,) = joblib.Parallel(2)([joblib.delayed(_embed)(pickle.dumps(embedding), clips)])
    process, made = elsewhere
    assert process != os.getpid()
    assert_equal_up_to_rounding(made, embedding.transform(clips))


def _embed(saved, clips):
    return os.getpid(), pickle.loads(saved).transform(clips)


@pytest.mark.processes
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_files_that_cannot_be_read_are_reported_from_every_process(make, paths, tmp_path, n_jobs):
    Path(paths[1]).write_bytes(b"no audio")
    clips = LevelNormalizer().fit_transform(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    embedding = make(n_jobs=n_jobs, batch_size=2, memory=tmp_path / "kept")
    with pytest.warns(AudioReadWarning, match=r"left out .*clip_1\.wav: ") as warned:
        made = embedding.transform(clips)
    assert len(warned) == 1
    assert np.isnan(made).all(axis=1).tolist() == [i == 1 for i in range(6)]
    assert list(clips.failures) == [paths[1]]
    embedding.transform(clips)  # what was warned of once is known


@pytest.mark.processes
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_names_the_clip_by_its_place_in_all_of_X(make, n_jobs):
    clips = noise(*[0.02] * 70)
    spoilt = AudioClips(clips, SAMPLE_RATE).map(_spoil_the_loud)
    clips[67] += 10
    with pytest.raises(ValueError, match=r"^clip 67: "):
        make(n_jobs=n_jobs).transform(spoilt)


def _spoil_the_loud(clip):
    return np.where(np.abs(clip) > 5, np.inf, clip)


def test_a_cluster_of_dask_embeds_as_one_process_does(make, paths):
    distributed = pytest.importorskip("distributed")
    embedding = make(batch_size=2)
    expected = embedding.fit(paths).transform(paths)
    with (
        mock.patch.dict(os.environ),  # nannies write into it
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert_equal_up_to_rounding(embedding.transform(paths), expected)


def test_clips_come_one_after_the_other_and_none_is_kept(make):
    clips = AudioClips(LazySequence(range(100), (_noise_of,)), SAMPLE_RATE)
    embedding = make(batch_size=4)
    first = next(embedding.stream(clips))
    np.testing.assert_allclose(first, embedding.transform(clips[:1])[0], rtol=1e-4, atol=1e-6)
    tracemalloc.start()
    for _ in embedding.stream(clips):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 32_000 * 4 / 4  # bytes: a quarter of the samples


def _noise_of(seed):
    return np.random.default_rng(seed).normal(scale=0.1, size=32_000).astype(np.float32)
