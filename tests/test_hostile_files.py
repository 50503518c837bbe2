"""Files of detectors that are damaged or malicious."""

import errno
import io
import json
import os
import pickle
import re
import struct
import tracemalloc
import zipfile
import zlib

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skaudio_ad
from skaudio_ad.persistence import load_detector, save_detector

from .killed import write_until_killed

pytestmark = pytest.mark.filterwarnings("ignore:.* with weights=None has random weights:UserWarning")

FEATURES = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
WAVES = np.random.default_rng(1).uniform(-0.5, 0.5, size=(3, 4000)).astype(np.float32)


@pytest.fixture
def fitted():
    return make_pipeline(StandardScaler(), skaudio_ad.NearestNeighborsDetector()).fit(FEATURES)


@pytest.fixture
def saved(fitted, tmp_path):
    path = tmp_path / "saved.skops"
    save_detector(fitted, path)
    return path


class Hostile:
    """Object that makes a folder when a pickle of the object is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.makedirs, (str(self.mark), 0o777, True)


def embedding(**parameters):
    return skaudio_ad.MobileNetEmbedding("mn01", weights=None, **parameters)


def _entry(key, embedding):
    """Return a cache entry of earlier versions, which used joblib.Memory."""
    return embedding


_entry.__module__ = "skaudio_ad.embeddings._cache"


def test_hostile_pickles_in_a_file_and_in_a_cache_run_no_code(tmp_path):
    mark, folder = tmp_path / "ran", str(tmp_path / "memory")
    pipeline = Pipeline(
        [("embedding", embedding(memory=folder)), ("detector", skaudio_ad.NearestNeighborsDetector())],
        memory=folder,
    )
    old = joblib.Memory(folder, verbose=0).cache(_entry, ignore=["embedding"])
    step = pipeline["embedding"]
    for key in skaudio_ad.AudioClips(WAVES, sample_rate=32000).cache_keys():
        old(((step._engine().key, step._plan("clip").key), key), np.zeros(96, np.float32))
    pipeline.fit(WAVES)
    entries = [file for file in (tmp_path / "memory").rglob("*") if file.suffix in (".pkl", ".npy")]
    assert len(entries) >= 4
    for file in entries:
        file.write_bytes(pickle.dumps(Hostile(mark)))
    skops.io.dump(pipeline, tmp_path / "hostile.skops")
    loaded = load_detector(tmp_path / "hostile.skops")
    assert np.isfinite(loaded.score_samples(WAVES)).all()
    assert not mark.exists()
    loaded.fit(WAVES)
    assert not mark.exists()
    pickle.loads(entries[0].read_bytes())  # the attack works if the pickle is read
    assert mark.exists()


def memories(value):
    """Return every `memory` in the parameters of an estimator at any depth."""
    found = value.get_params(deep=True).items()
    return {name: memory for name, memory in found if name.split("__")[-1] == "memory"}


def test_memory_is_none_in_a_file_and_stays_in_the_estimator(tmp_path):
    inner = FeatureUnion(
        [
            ("a", embedding(memory="a")),
            ("b", Pipeline([("c", StandardScaler())], memory=joblib.Memory("b", verbose=0))),
        ]
    )
    model = skaudio_ad.NormalOnly(
        Pipeline([("union", inner), ("detector", skaudio_ad.NearestNeighborsDetector())], memory="c")
    )
    assert None not in memories(model).values()
    save_detector(model, tmp_path / "saved.skops")
    with zipfile.ZipFile(tmp_path / "saved.skops") as archive:
        assert b"joblib" not in archive.read("schema.json")
    again = load_detector(tmp_path / "saved.skops")
    assert set(memories(again)) == set(memories(model))
    assert set(memories(again).values()) == {None}
    assert None not in memories(model).values()


# Loading raises an error for other containers of objects, such as a method or a partial function.
HIDING_PLACES = {
    "a list": lambda hidden: [hidden],
    "a dict in a tuple": lambda hidden: ({"key": hidden},),
    "an array of objects": lambda hidden: np.array([hidden, 3], dtype=object),
    "a parameter": lambda hidden: FunctionTransformer(kw_args={"key": hidden}),
}


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_a_file_cannot_hide_an_estimator_with_a_memory(place, fitted, tmp_path):
    hidden = Pipeline([("scaler", StandardScaler())], memory="folder")
    fitted[-1].hidden_ = HIDING_PLACES[place](hidden)
    skops.io.dump(fitted, tmp_path / "hostile.skops")
    loaded = load_detector(tmp_path / "hostile.skops")[-1].hidden_
    assert "folder" not in pickle.dumps(loaded).decode("latin-1")
    assert "folder" in pickle.dumps(fitted[-1].hidden_).decode("latin-1")


def test_estimators_in_lists_are_saved_once_and_without_callbacks(fitted, tmp_path):
    class Callback:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = on_fit_task_end = setup

    parts = [skaudio_ad.NearestNeighborsDetector().fit(FEATURES) for _ in range(2)]
    noisy = skaudio_ad.AutoencoderDetector().set_callbacks(Callback())
    fitted[-1].parts_ = [*parts, parts[0], noisy]
    save_detector(fitted, tmp_path / "saved.skops")
    again = load_detector(tmp_path / "saved.skops")[-1].parts_
    np.testing.assert_array_equal(again[1].score_samples(FEATURES), parts[1].score_samples(FEATURES))
    assert again[0] is again[2]
    assert fitted[-1].parts_[3] is noisy


def test_every_flipped_bit_raises_a_value_error_or_changes_nothing(saved, fitted):
    content = saved.read_bytes()
    expected = fitted.score_samples(FEATURES)
    with zipfile.ZipFile(saved) as whole:
        directory = range(whole.start_dir, len(content), 3)  # no checksum covers the directory
    rng = np.random.default_rng(0)
    messages = []
    for index in [*rng.integers(0, len(content), 120), *directory]:
        damaged = bytearray(content)
        damaged[index] ^= 1 << int(rng.integers(8))
        saved.write_bytes(damaged)
        try:
            loaded = load_detector(saved)
        except ValueError as error:
            messages.append(str(error))
        else:
            np.testing.assert_array_equal(loaded.score_samples(FEATURES), expected)
    assert len(messages) > 100
    assert all(message.startswith(f"{saved}: ") for message in messages)


@pytest.mark.parametrize("length", [0, 4, 100, 5000, -1, -22])
def test_a_file_that_is_cut_short_raises_an_error(length, saved):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"saved\.skops: (no detector saved by|damaged)"):
        load_detector(saved)


def test_the_error_for_a_damaged_file_says_how_to_fix_it(saved):
    content = bytearray(saved.read_bytes())
    content[content.index(b'"__class__"')] ^= 1
    saved.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"saved\.skops: damaged \(BadZipFile: .*copy the file again, or save the"
    ):
        load_detector(saved)


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in members.items():
            target.writestr(name, content)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def array_node(name):
    return {
        "__class__": "ndarray",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "numpy",
        "file": name,
    }


def schema(*names, **more):
    nodes = [array_node(name) for name in names]
    listed = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": nodes}
    return json.dumps({**listed, "protocol": skops.io._protocol.PROTOCOL, **more})


MEGABYTES = 64
ZEROS = npy(np.zeros(MEGABYTES << 20, np.uint8))


def lying_directory(path):
    """Write an archive whose directory states 128 bytes for a large member, with a checksum of these bytes."""
    large = bytes(MEGABYTES << 20)
    archive(path, {"a.npy": large, "schema.json": schema("a.npy")})
    content = path.read_bytes()
    info = zipfile.ZipFile(path).getinfo("a.npy")
    true = struct.pack("<LL", info.CRC, info.compress_size) + struct.pack("<L", info.file_size)
    lie = struct.pack("<LL", zlib.crc32(large[:128]), info.compress_size) + struct.pack("<L", 128)
    assert content.count(true) == 2
    path.write_bytes(content.replace(true, lie))


def inner_archive():
    buffer = io.BytesIO()
    archive(buffer, {"data.npy": ZEROS})
    return buffer.getvalue()


BOMBS = {
    "a large array": lambda path: archive(path, {"a.npy": ZEROS, "schema.json": schema("a.npy")}),
    "a large schema": lambda path: archive(path, {"schema.json": schema(filler=" " * (1 << 20))}),
    "an array named often": lambda path: archive(
        path, {"a.npy": npy(np.zeros(1 << 19, np.uint8)), "schema.json": schema(*["a.npy"] * 100)}
    ),
    "an archive in the archive": lambda path: archive(
        path, {"a.npz": inner_archive(), "schema.json": schema("a.npz")}, zipfile.ZIP_STORED
    ),
}


def peak_of(function):
    """Return the maximum number of bytes in use during a call."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_that_unpacks_to_too_many_bytes_is_not_unpacked(bomb, tmp_path):
    path = tmp_path / "bomb.skops"
    BOMBS[bomb](path)
    assert path.stat().st_size < 200_000

    def load():
        with pytest.raises(
            ValueError, match=r"bomb\.skops: it unpacks to \d+ MB, more than the 1 MB allowed.*raise max_"
        ):
            load_detector(path, max_size=1 << 20)

    load()  # the first call imports modules, whose memory must not count
    assert peak_of(load) < 8 << 20


def test_a_directory_that_states_too_small_a_size_does_not_unpack_more(tmp_path):
    lying_directory(tmp_path / "bomb.skops")

    def load():
        with pytest.raises(ValueError, match=r"bomb\.skops: "):
            load_detector(tmp_path / "bomb.skops", max_size=1 << 20)

    load()
    assert peak_of(load) < 8 << 20


def test_the_default_limit_lets_a_small_file_unpack_to_256_megabytes(tmp_path, monkeypatch):
    path = tmp_path / "bomb.skops"
    BOMBS["an array named often"](path)
    with pytest.raises(ValueError, match="holds a list and no estimator"):
        load_detector(path)
    monkeypatch.setattr(skaudio_ad._archive, "_SMALL", 1 << 20)
    with pytest.raises(ValueError, match=r"it unpacks to \d+ MB, more than the 1 MB allowed"):
        load_detector(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_of_skops_is_read_with_and_without_compression(compression, fitted, tmp_path):
    skops.io.dump(fitted, tmp_path / "saved.skops", compression=compression)
    again = load_detector(tmp_path / "saved.skops")
    np.testing.assert_array_equal(again.score_samples(FEATURES), fitted.score_samples(FEATURES))
    with pytest.raises(ValueError, match="raise max_size"):
        load_detector(tmp_path / "saved.skops", max_size=1000)
    load_detector(tmp_path / "saved.skops", max_size=1_000_000)
    with pytest.raises(ValueError, match="max_size must lie in"):
        load_detector(tmp_path / "saved.skops", max_size=0)


def test_a_compression_method_other_than_deflate_raises_an_error(fitted, tmp_path):
    skops.io.dump(fitted, tmp_path / "saved.skops", compression=zipfile.ZIP_BZIP2)
    with pytest.raises(
        ValueError, match="compressed by another method than deflate; save the detector again"
    ):
        load_detector(tmp_path / "saved.skops")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_members_with_the_same_name_raise_an_error(saved):
    with zipfile.ZipFile(saved, "a") as target:
        target.writestr("schema.json", schema())
    with pytest.raises(ValueError, match="two members have the same name"):
        load_detector(saved)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "3",
        '"a"',
        "{",
        schema("missing.npy"),
        schema(content=[{}]),
        "[" * 100_000,
        schema(protocol=99),
    ],
    ids=lambda text: text[:12],
)
def test_an_invalid_schema_raises_a_value_error(text, tmp_path):
    archive(tmp_path / "odd.skops", {"schema.json": text})
    with pytest.raises(ValueError, match=r"odd\.skops: "):
        load_detector(tmp_path / "odd.skops")


def test_an_array_of_pickled_objects_runs_no_code(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Hostile(tmp_path / "ran")], dtype=object), allow_pickle=True)
    archive(tmp_path / "odd.skops", {"a.npy": buffer.getvalue(), "schema.json": schema("a.npy")})
    with pytest.raises(ValueError, match=r"odd\.skops: "):
        load_detector(tmp_path / "odd.skops")
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_leaves_the_old_file_and_the_error_names_the_file(saved, fitted, monkeypatch):
    old = saved.read_bytes()
    dump = skops.io.dump

    def full(estimator, file):
        dump(estimator, file)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(skops.io, "dump", full)
    with pytest.raises(
        OSError, match=rf"MB free in .*free some space and try again: '{re.escape(str(saved))}'"
    ):
        save_detector(fitted, saved)
    assert saved.read_bytes() == old
    assert os.listdir(saved.parent) == ["saved.skops"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("wait", [0.0, 0.002, 0.005, 0.01])
def test_a_killed_process_leaves_the_old_file_or_the_new_file(wait, fitted, saved):
    old = saved.stat().st_ino
    write_until_killed(lambda: save_detector(fitted, saved), lambda: saved.stat().st_ino != old, wait)
    again = load_detector(saved)
    np.testing.assert_array_equal(again.score_samples(FEATURES), fitted.score_samples(FEATURES))
