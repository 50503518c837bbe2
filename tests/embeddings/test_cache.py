"""Embeddings kept on the disk: what counts as the same clip, interruptions, processes that share a folder."""

import errno
import io
import os
import pickle
from multiprocessing.pool import ThreadPool
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skaudio_ad.embeddings._embed_clips as chunks
from skaudio_ad import AudioLoader, LevelNormalizer, MobileNetEmbedding
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.embeddings import _cache
from skaudio_ad.embeddings._cache import EmbeddingCache
from skaudio_ad.networks import MobileNet

from ..killed import write_until_killed
from .small_backbones import BACKBONE, SAMPLE_RATE, noise


@pytest.fixture
def embedded(monkeypatch):
    """A list that grows by one with every clip that goes through the network."""
    numbers = []
    batches = chunks._embed_in_batches

    def spy(clips, loaded, plan):
        for embedding in batches(clips, loaded, plan):
            numbers.append(1)
            yield embedding

    monkeypatch.setattr(chunks, "_embed_in_batches", spy)
    return numbers


@pytest.fixture
def paths(write_wavs):
    return write_wavs([9000, 16000, 4000, 9000], sample_rate=SAMPLE_RATE)


def test_what_was_embedded_once_is_not_embedded_again(make, paths, tmp_path, embedded):
    expected = make().transform(paths)
    assert len(embedded) == 4
    for attempt in range(3):
        kept = make(memory=tmp_path / "kept")
        np.testing.assert_array_equal(kept.fit(paths).transform(paths), expected)
        assert len(embedded) == 8, attempt


@pytest.mark.parametrize("kind", [Path, str])
def test_a_folder_is_a_path_or_a_string(make, paths, tmp_path, embedded, kind):
    make(memory=tmp_path / "kept").transform(paths)
    make(memory=kind(tmp_path / "kept")).transform(paths)
    assert len(embedded) == 4


def test_a_corpus_that_grew_costs_the_new_clips_only(make, paths, tmp_path, embedded):
    kept = make(memory=tmp_path / "kept")
    kept.transform(paths[:2])
    assert len(embedded) == 2
    made = kept.transform(paths[::-1])
    assert len(embedded) == 4
    np.testing.assert_allclose(made, make().transform(paths)[::-1], rtol=1e-4, atol=1e-6)


def test_an_interrupted_extraction_goes_on_where_it_stopped(make, paths, tmp_path, embedded):
    content = Path(paths[2]).read_bytes()
    Path(paths[2]).write_bytes(b"no audio")
    kept = make(memory=tmp_path / "kept", batch_size=1)
    with pytest.raises(ValueError, match=r"clip_2\.wav: "):
        kept.transform(paths)
    done = len(embedded)
    assert 1 <= done <= 2
    Path(paths[2]).write_bytes(content)
    np.testing.assert_array_equal(kept.transform(paths), make(batch_size=1).transform(paths))
    assert len(embedded) == 4 + 4


def test_a_file_that_changed_is_embedded_again(make, paths, write_wavs, tmp_path, embedded):
    kept = make(memory=tmp_path / "kept")
    before = kept.transform(paths)
    assert write_wavs([9000], sample_rate=SAMPLE_RATE) == paths[:1]
    after = kept.transform(paths)
    assert len(embedded) == 5
    assert np.abs(after[0] - before[0]).max() > 1e-3
    np.testing.assert_array_equal(after[1:], before[1:])


def test_a_file_that_only_moved_is_known_by_its_content_if_asked_for(make, paths, tmp_path, embedded):
    kept = make(memory=tmp_path / "kept", cache_by="content")
    expected = kept.transform(paths)
    moved = []
    for path in paths:
        moved.append(str(tmp_path / f"moved_{Path(path).name}"))
        os.rename(path, moved[-1])
    np.testing.assert_array_equal(kept.transform(moved), expected)
    assert len(embedded) == 4
    make(memory=tmp_path / "kept").transform(moved)
    assert len(embedded) == 8


CHANGES = {
    "output": {"output": "frames"},
    "window": {"window": 1.0},
    "hop": {"window": 1.0, "hop": 0.5},
    "precision": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_setting_is_another_embedding(make, tmp_path, change):
    clips = noise(2.0, 1.5)
    make(memory=tmp_path / "kept").transform(clips)
    if change == "hop":
        make(memory=tmp_path / "kept", window=1.0).transform(clips)
    for made, expected in zip(
        make(memory=tmp_path / "kept", **CHANGES[change]).transform(clips),
        make(**CHANGES[change]).transform(clips),
    ):
        np.testing.assert_array_equal(made, expected)


def test_other_weights_and_other_cuts_of_a_file_are_other_embeddings(make, paths, tmp_path):
    torch.save(MobileNet(0.1).state_dict(), tmp_path / "other.pt")
    kept = make(memory=tmp_path / "kept")
    kept.transform(paths)
    other = clone(kept).set_params(weights=tmp_path / "other.pt")
    np.testing.assert_array_equal(
        other.transform(paths), clone(other).set_params(memory=None).transform(paths)
    )
    for steps in (
        (AudioLoader(SAMPLE_RATE, duration=0.1),),
        (AudioLoader(SAMPLE_RATE, duration=0.1, offset=0.02),),
        (AudioLoader(SAMPLE_RATE), LevelNormalizer()),
        (AudioLoader(SAMPLE_RATE), LevelNormalizer("peak")),
    ):
        np.testing.assert_array_equal(
            make_pipeline(*steps, kept).fit_transform(paths),
            make_pipeline(*steps, make()).fit_transform(paths),
        )


def louder(clip):
    return GAIN * clip


GAIN = 2.0


def test_what_another_function_made_of_a_file_is_known_by_its_samples(make, paths, tmp_path, monkeypatch):
    kept = make(memory=tmp_path / "kept")
    clips = AudioLoader(SAMPLE_RATE).fit_transform(paths).map(louder)
    before = kept.transform(clips)
    monkeypatch.setitem(globals(), "GAIN", 3.0)
    after = kept.transform(clips)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(after, make().transform(clips))


def test_samples_in_memory_are_known_by_their_values(make, tmp_path, embedded):
    X = np.stack(noise(0.5, 0.5, 0.5))
    kept = make(memory=tmp_path / "kept")
    expected = kept.transform(X)
    np.testing.assert_array_equal(kept.transform(list(X[::-1].copy())), expected[::-1])
    assert len(embedded) == 3
    kept.transform(X + np.float32(1e-3))
    assert len(embedded) == 6


def test_a_clip_that_could_not_be_read_is_not_kept_and_warned_of_every_time(make, paths, tmp_path):
    kept = make(memory=tmp_path / "kept")
    content = Path(paths[1]).read_bytes()
    Path(paths[1]).write_bytes(b"no audio")
    for _ in range(2):
        with pytest.warns(AudioReadWarning, match="left out"):
            made = kept.transform(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
        assert np.isnan(made).all(axis=1).tolist() == [False, True, False, False]
    Path(paths[1]).write_bytes(content)
    assert np.isfinite(kept.transform(paths)).all()


def test_a_file_that_is_not_there_is_named(make, paths, tmp_path):
    with pytest.raises((ValueError, OSError), match=r"none\.wav"):
        make(memory=tmp_path / "kept").transform([*paths, str(tmp_path / "none.wav")])


def entries(folder):
    """The files of the cache, but for what killed processes left."""
    return sorted(folder.glob("embeddings/*/*.npy"))


def test_an_entry_is_a_plain_array(make, paths, tmp_path):
    kept = make(memory=tmp_path / "kept")
    expected = kept.transform(paths[:1])
    (entry,) = entries(tmp_path / "kept")
    np.testing.assert_array_equal(np.load(entry, allow_pickle=False), expected[0])


def test_frames_of_clips_of_different_lengths_are_kept(make, paths, tmp_path, embedded):
    kept = make(output="frames", memory=tmp_path / "kept")
    expected = kept.transform(paths)
    assert len({made.shape for made in expected}) > 1
    for made, first in zip(kept.transform(paths), expected):
        np.testing.assert_array_equal(made, first)
    assert len(embedded) == 4


def test_a_damaged_entry_is_warned_of_and_made_again(make, paths, tmp_path, embedded):
    kept = make(memory=tmp_path / "kept")
    expected = kept.transform(paths)
    entry = entries(tmp_path / "kept")[0]
    entry.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=rf"{entry}: is damaged\. The clip is embedded again"):
        np.testing.assert_allclose(kept.transform(paths), expected, rtol=1e-4, atol=1e-6)
    assert len(embedded) == 5
    kept.transform(paths)
    assert len(embedded) == 5


KEY = (("mobilenet", 0.1, "0" * 64, None), ("file", "clip.wav", 3, 1))


@pytest.fixture
def entry(tmp_path):
    """A cache of one small embedding, and the file that it lies in."""
    cache = EmbeddingCache(tmp_path)
    cache.put(KEY, np.arange(6, dtype=np.float32).reshape(2, 3))
    return cache, entries(tmp_path)[0]


def test_every_flip_of_a_bit_is_noticed(entry):
    cache, file = entry
    content = file.read_bytes()
    for index in range(len(content)):
        damaged = bytearray(content)
        damaged[index] ^= 1 << index % 8
        file.write_bytes(damaged)
        with pytest.warns(UserWarning, match="is damaged"):
            assert cache.get(KEY) is None
    file.write_bytes(content)
    np.testing.assert_array_equal(cache.get(KEY), [[0, 1, 2], [3, 4, 5]])


def test_an_entry_that_is_cut_short_or_grew_is_noticed(entry):
    cache, file = entry
    content = file.read_bytes()
    for damaged in (*(content[:length] for length in range(0, len(content), 7)), content + b"\0"):
        file.write_bytes(damaged)
        with pytest.warns(UserWarning, match="is damaged"):
            assert cache.get(KEY) is None


def test_an_entry_under_another_name_is_noticed(entry, tmp_path):
    cache, file = entry
    other = (*KEY, "other")
    cache.put(other, np.zeros(3, np.float32))
    (theirs,) = set(entries(tmp_path)) - {file}
    theirs.write_bytes(file.read_bytes())
    with pytest.warns(UserWarning, match="is damaged"):
        assert cache.get(other) is None


class Hostile:
    """Runs code where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_an_entry_of_pickled_objects_with_a_checksum_that_holds_runs_no_code(entry, tmp_path):
    cache, file = entry
    buffer = io.BytesIO()
    np.save(buffer, np.array([Hostile(tmp_path / "ran")], dtype=object), allow_pickle=True)
    digest, path = cache._locate(KEY)
    assert path == str(file)
    file.write_bytes(buffer.getvalue() + _cache._checksum(buffer.getvalue(), digest))
    with pytest.warns(UserWarning, match="is damaged"):
        assert cache.get(KEY) is None
    assert not (tmp_path / "ran").exists()
    np.load(file, allow_pickle=True)  # the attack works where pickles are read
    assert (tmp_path / "ran").exists()


def test_a_cache_of_joblib_in_the_same_folder_is_not_read(make, paths, tmp_path):
    folder = tmp_path / "kept" / "joblib" / "skaudio_ad" / "embeddings" / "_cache" / "_entry" / "0"
    folder.mkdir(parents=True)
    (folder / "output.pkl").write_bytes(pickle.dumps(Hostile(tmp_path / "ran")))
    np.testing.assert_array_equal(make(memory=tmp_path / "kept").transform(paths), make().transform(paths))
    assert not (tmp_path / "ran").exists()


def test_keys_that_are_equal_are_known_and_others_are_not(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.put((1, (2.5, None)), np.ones(2, np.float32))
    assert cache.get((np.int64(1), (np.float64(2.5), None))) is not None
    for other in ((1, 2.5, None), (1, (2.5, "None")), ("1", (2.5, None)), (1, (2.5,), None)):
        assert cache.get(other) is None
    with pytest.raises(TypeError, match="a key must be made of tuples, numbers, strings and None"):
        cache.get((object(),))


def test_a_folder_of_a_cache_holds_a_part_of_the_entries_only(tmp_path):
    cache = EmbeddingCache(tmp_path)
    for number in range(300):
        cache.put((number,), np.zeros(1, np.float32))
    folders = [path.parent.name for path in entries(tmp_path)]
    assert len(folders) == 300
    assert {len(name) for name in folders} == {3}
    assert max(map(folders.count, folders)) < 10


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_no_entry_is_warned_of_and_costs_no_embedding(
    make, paths, tmp_path, monkeypatch, error
):
    def full(path):
        raise OSError(error, os.strerror(error), path)

    monkeypatch.setattr(_cache, "atomic_path", full)
    with pytest.warns(UserWarning, match=rf"Embeddings are not kept: .*{os.strerror(error)}"):
        made = make(memory=tmp_path / "kept").transform(paths)
    np.testing.assert_array_equal(made, make().transform(paths))
    assert entries(tmp_path / "kept") == []


def test_threads_that_keep_one_entry_leave_it_whole(tmp_path):
    embedding = np.random.default_rng(0).normal(size=5000).astype(np.float32)

    def work(_):
        cache = EmbeddingCache(tmp_path)
        cache.put(KEY, embedding)
        return cache.get(KEY)

    with ThreadPool(8) as pool:
        for made in pool.map(work, range(80)):
            np.testing.assert_array_equal(made, embedding)
    (folder,) = {path.parent for path in entries(tmp_path)}
    assert len(os.listdir(folder)) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("wait", [0.0, 0.001, 0.003])
def test_a_process_that_is_killed_leaves_no_damaged_entry(wait, tmp_path):
    cache = EmbeddingCache(tmp_path)

    def work():
        for number in range(3):
            cache.put((number,), np.full(100_000, number, np.float32))

    write_until_killed(work, lambda: len(entries(tmp_path)) == 3, wait)
    for number in range(3):  # a damaged one would be warned of
        assert (cache.get((number,)) == number).all()


def test_the_network_is_not_asked_for_where_all_is_kept(make, paths, tmp_path, monkeypatch):
    kept = make(memory=tmp_path / "kept")
    expected = kept.transform(paths)
    monkeypatch.setattr(type(kept._engine()), "load", lambda engine: pytest.fail("was loaded"))
    np.testing.assert_array_equal(kept.transform(paths), expected)


def test_processes_share_a_folder(make, paths, tmp_path):
    def pipeline(**parameters):
        return make_pipeline(AudioLoader(SAMPLE_RATE), LevelNormalizer(), make(batch_size=1, **parameters))

    expected = pipeline().transform(paths)
    kept = pipeline(memory=tmp_path / "kept")
    # Forked processes need not import torch first, and so begin together.
    run = joblib.Parallel(n_jobs=2, backend="multiprocessing", pre_dispatch="all", batch_size=1)
    for made in run(joblib.delayed(kept.transform)(paths) for _ in range(4)):
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-7)
    assert len(entries(tmp_path / "kept")) == 4


def test_tags_are_kept_apart_from_embeddings(make, paths, tmp_path, class_table, embedded):
    kept = make(memory=tmp_path / "kept")
    kept.transform(paths)
    assert kept.predict_tags(paths) == make().predict_tags(paths)
    kept.predict_tags(paths)
    assert len(embedded) == 4 + 4 + 4


def test_a_memory_that_is_no_folder_is_refused(make, paths, tmp_path):
    for memory in (3, object()):
        with pytest.raises(ValueError, match="memory must be the path of a folder or None, got "):
            make(memory=memory).fit(paths)
    with pytest.raises(
        ValueError, match=r"memory must be the path of a folder, and '.*clip_0\.wav' is a file"
    ):
        make(memory=paths[0]).fit(paths)
    with pytest.raises(ValueError, match="kept without joblib: give the folder, 'kept'"):
        make(memory=joblib.Memory("kept", verbose=0)).fit(paths)


def test_another_way_to_know_a_clip_is_refused(make, paths):
    with pytest.raises(ValueError, match="cache_by must be one of 'file', 'content', got 'name'"):
        make(cache_by="name").fit(paths)


def test_a_path_as_memory_or_weights_is_saved_as_a_string(make, paths, tmp_path):
    kept = make(memory=tmp_path / "kept").fit(paths)
    copy = pickle.loads(pickle.dumps(kept))
    assert copy.memory == str(tmp_path / "kept")
    assert copy.weights == str(kept.weights)
    assert isinstance(kept.memory, Path)


def test_random_weights_are_kept_by_their_seed(tmp_path, paths):
    def embed(**parameters):
        return MobileNetEmbedding(BACKBONE["mobilenet"], weights=None, **parameters).transform(paths)

    kept = [embed(random_state=seed, memory=tmp_path / "kept") for seed in (0, 1)]
    for seed in (0, 1):
        np.testing.assert_array_equal(kept[seed], embed(random_state=seed))
    assert np.abs(kept[0] - kept[1]).max() > 1e-3
