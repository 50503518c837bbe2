"""Tables of paths in, tables with embeddings and errors out."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from skaudio_ad import AudioLoader, LevelNormalizer
from skaudio_ad.embeddings import WeightsError, _backbone_engine

from .small_backbones import SAMPLE_RATE, assert_equal_up_to_rounding, noise

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

KINDS = {
    "dict": (lambda paths: {"n": np.arange(len(paths)), "path": np.array(paths, dtype=object)}, dict),
    "pandas": (
        lambda paths: pd.DataFrame({"n": range(len(paths)), "path": paths}, index=[7] * len(paths)),
        pd.DataFrame,
    ),
    "table": (lambda paths: pa.table({"n": range(len(paths)), "path": paths}), pa.Table),
    "batch": (
        lambda paths: pa.RecordBatch.from_pydict({"n": range(len(paths)), "path": paths}),
        pa.RecordBatch,
    ),
}


@pytest.fixture
def paths(write_wavs):
    return write_wavs([9000, 16000, 4000], sample_rate=SAMPLE_RATE)


@pytest.fixture
def spoilt(paths, tmp_path):
    """Rows of every kind with the errors that they must have."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "no_audio.wav").write_bytes(b"no audio")
    return {
        paths[0]: "",
        None: "the path is missing.",
        str(tmp_path / "gone.wav"): "no such file; check the path and the folder it is relative to.",
        "": "the path is empty.",
        str(tmp_path / "empty.wav"): "is empty (0 bytes); restore it.",
        paths[1]: "",
        "a\0b": "the path has a null character.",
        paths[2]: "",
    }


def rows_of(table, column):
    """A column as a list, whatever the kind of the table is."""
    values = table[column]
    return values.to_pylist() if hasattr(values, "to_pylist") else list(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", ["clip", ["clip", "block5"]], ids=["one output", "two outputs"])
def test_a_table_gets_the_vectors_of_transform_and_one_reason_for_every_row_without(
    make, spoilt, kind, output
):
    embedding = make(output=output)
    made_by, expected_type = KINDS[kind]
    table = made_by(list(spoilt))
    made = embedding.batch_function()(table)
    assert type(made) is expected_type
    assert rows_of(made, "n") == list(range(len(spoilt)))
    assert rows_of(made, "error") == list(spoilt.values())
    vectors = np.array(rows_of(made, "vector"), dtype=np.float32)
    readable = [path for path, error in spoilt.items() if not error]
    # The reference reads every file alone.
    expected = np.concatenate([embedding.transform([path]) for path in readable])
    usable = [error == "" for error in spoilt.values()]
    assert_equal_up_to_rounding(vectors[usable], expected)
    assert np.isnan(vectors[np.logical_not(usable)]).all()
    if kind == "pandas":
        assert made.index.tolist() == table.index.tolist()
        assert list(table.columns) == ["n", "path"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_rows_has_the_columns_and_types_of_one_with_rows(make, paths, kind):
    embed, table = make().batch_function(), KINDS[kind][0](paths)
    full = embed(table)
    empty = embed(
        {name: values[:0] for name, values in table.items()}
        if kind == "dict"
        else table.iloc[:0]
        if kind == "pandas"
        else table.slice(0, 0)
    )
    if kind == "dict":
        assert {name: (v.shape[1:], v.dtype.kind) for name, v in empty.items()} == {
            name: (v.shape[1:], v.dtype.kind) for name, v in full.items()
        }
    elif kind == "pandas":
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    else:
        assert empty.schema == full.schema


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT], ids=str)
def test_a_missing_path_and_a_number_are_errors_of_their_rows(make, missing):
    made = make().batch_function()({"path": [missing, 5]})
    assert made["error"].tolist() == ["the path is missing.", "a path must be text, got int."]
    assert made["vector"].shape == (2, 96)


def test_the_function_pickles_without_weights_and_a_process_loads_them_once(make, paths, monkeypatch):
    built = []
    build = _backbone_engine.build_network
    monkeypatch.setattr(_backbone_engine, "build_network", lambda engine: built.append(1) or build(engine))
    _backbone_engine._build.cache_clear()
    embed = make().batch_function()
    assert not built
    sent = pickle.dumps(embed)
    assert len(sent) < 2000  # the weights of the network are 200 times as large
    for _ in range(3):
        pickle.loads(sent)({"path": paths})
    assert len(built) == 1


def test_a_step_from_paths_to_clips_cuts_and_levels_the_clips(make, paths):
    from sklearn.pipeline import make_pipeline

    loader = AudioLoader(SAMPLE_RATE, duration=0.1, pad="zeros", on_error="raise")
    made = make().batch_function(preprocessing=make_pipeline(loader, LevelNormalizer()))(
        {"path": [*paths, "gone"]}
    )
    assert_equal_up_to_rounding(
        made["vector"][:3], make_pipeline(loader, LevelNormalizer(), make()).transform(paths)
    )
    assert made["error"].tolist()[:3] == [""] * 3
    assert made["error"][3]


def test_two_channels_give_vectors_of_twice_the_length_also_for_rows_with_errors(make, tmp_path):
    import soundfile

    path = str(tmp_path / "pair.wav")
    soundfile.write(path, np.stack(noise(0.1, 0.1), axis=1), SAMPLE_RATE)
    loader = AudioLoader(SAMPLE_RATE, channel="near-far")
    embed = make().batch_function(preprocessing=loader)
    made = embed({"path": [path, None]})["vector"]
    assert_equal_up_to_rounding(made[:1], make().transform(loader.transform([path])))
    assert made.shape == (2, 192)
    assert embed({"path": []})["vector"].shape == (0, 192)


def test_a_clip_that_the_network_cannot_take_costs_its_own_row_only(make, paths, monkeypatch):
    embed_windows = _backbone_engine.LoadedBackbone.embed

    def too_little_memory(self, waveforms, output):
        if waveforms.shape[1] == 16000:
            raise MemoryError("cannot allocate 1 TiB")
        return embed_windows(self, waveforms, output)

    monkeypatch.setattr(_backbone_engine.LoadedBackbone, "embed", too_little_memory)
    made = make().batch_function()({"path": paths})
    assert made["error"].tolist() == ["", "MemoryError: cannot allocate 1 TiB", ""]
    assert np.isnan(made["vector"]).all(axis=1).tolist() == [False, True, False]


def test_weights_that_are_gone_or_others_stop_the_work_because_no_row_can_be_embedded(
    paths, network, tmp_path
):
    import torch

    from .small_backbones import BACKBONE, ESTIMATOR

    file = tmp_path / BACKBONE["mobilenet"].filename
    torch.save(network["mobilenet"].state_dict(), file)
    embed = ESTIMATOR["mobilenet"](BACKBONE["mobilenet"], weights=file).batch_function()
    other = {name: 2 * value for name, value in network["mobilenet"].state_dict().items()}
    torch.save(other, file)
    with pytest.raises(WeightsError, match="has other weights"):
        embed({"path": paths})
    file.unlink()
    with pytest.raises(WeightsError):
        embed({"path": paths})


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"path_column": "error"}, ValueError, "names of columns must differ"),
        ({"vector_column": 3}, TypeError, "names of columns must be str, got 3"),
        (
            {"preprocessing": AudioLoader(16000)},
            ValueError,
            r"load them with AudioLoader\(sample_rate=32000\)",
        ),
        ({"preprocessing": LevelNormalizer()}, TypeError, "begins with an AudioLoader"),
    ],
)
def test_parameters_are_checked_before_any_worker_starts(make, parameters, error, message):
    with pytest.raises(error, match=message):
        make().batch_function(**parameters)


def test_an_output_that_keeps_time_is_refused_because_a_cell_holds_one_vector(make):
    with pytest.raises(ValueError, match=r"keeps time\. Use one of 'clip'"):
        make(output="frames").batch_function()


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"file": ["a.wav"]}, ValueError, "has 0. Its columns: 'file'"),
        ({"path": ["a.wav"], "vector": [1]}, ValueError, "already has a column 'vector'"),
        (pd.DataFrame([["a", "b"]], columns=["path", "path"]), ValueError, "has 2"),
        (["a.wav"], TypeError, r"got builtins\.list"),
    ],
)
def test_tables_that_are_no_tables_of_paths_are_refused(make, table, error, message):
    with pytest.raises(error, match=message):
        make().batch_function()(table)


@pytest.mark.filterwarnings("default")  # of Dask, on a busy machine
def test_a_cluster_of_two_dask_workers_maps_a_table_and_goes_on_after_an_unreadable_file(
    make, paths, tmp_path
):
    distributed = pytest.importorskip("distributed")
    dask_frames = pytest.importorskip("dask.dataframe")
    embedding = make()
    embed = embedding.batch_function()
    Path(tmp_path / "bad.wav").write_bytes(b"no audio")
    table = pd.DataFrame({"path": [*paths, str(tmp_path / "bad.wav")] * 2})
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        frames = dask_frames.from_pandas(table, npartitions=4)
        made = frames.map_partitions(embed, meta=embed(table[:0])).compute()
    assert made["path"].tolist() == table["path"].tolist()
    assert [bool(error) for error in made["error"]] == [False, False, False, True] * 2
    expected = embedding.transform(paths)
    for start in (0, 4):
        assert_equal_up_to_rounding(np.stack(made["vector"][start : start + 3]), expected)
