"""``skaudio-ad embed``: recordings to a table of embeddings."""

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import skaudio_ad.cli._embed
from skaudio_ad import MobileNetEmbedding
from skaudio_ad._atomic import atomic_path
from skaudio_ad.cli import main
from skaudio_ad.cli._embed import _writer
from skaudio_ad.embeddings import weights_digest
from skaudio_ad.networks import MobileNet
from skaudio_ad.presets import make_detector

from ..killed import write_until_killed


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Make a folder with random weights of mn01."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(MobileNet(0.1).state_dict(), folder / "weights.pt")
    return str(folder / "weights.pt")


@pytest.fixture
def folder(write_wavs, tmp_path):
    """Make a folder of three recordings."""
    write_wavs([9000, 16000, 4000], sample_rate=16000)
    return tmp_path


def run(*arguments):
    kind = () if "--kind" in arguments else ("--kind", "clip")
    return run_as_given(*arguments, *kind)


def run_as_given(*arguments):
    return CliRunner().invoke(main, ["embed", *map(str, arguments)], catch_exceptions=False)


def read_npz(path):
    with np.load(path) as file:
        return dict(file)


def test_the_table_of_a_folder_has_names_of_rows_and_columns(folder, weights):
    output = folder / "out.npz"
    result = run(folder, "-o", output, "--backbone", "mn01", "--weights", weights, "--level", "none")
    assert result.exit_code == 0, result.output
    assert "out.npz: 3 x 96 values of mn01" in result.output
    table = read_npz(output)
    paths = [str(path) for path in sorted(folder.glob("*.wav"))]
    assert table["paths"].tolist() == paths
    assert table["names"][:2].tolist() == ["mn01_clip0", "mn01_clip1"]
    assert str(table["weights_sha256"]) == weights_digest(weights)
    np.testing.assert_array_equal(
        table["embeddings"], MobileNetEmbedding("mn01", weights=weights).transform(paths)
    )
    assert not list(folder.glob(".*"))


def test_the_default_is_the_vector_that_fit_takes(folder):
    result = run_as_given(folder, "-o", folder / "out.npz")
    assert result.exit_code == 0, result.output
    expected = make_detector()[:-1].fit(sorted(map(str, folder.glob("*.wav")))).get_feature_names_out()
    assert read_npz(folder / "out.npz")["names"].tolist() == expected.tolist()


def test_kinds_stand_side_by_side(folder):
    output = folder / "out.npz"
    result = run(folder, "-o", output, "--kind", "block15,clip")
    assert result.exit_code == 0, result.output
    assert "out.npz: 3 x 896 values of mini" in result.output
    names = read_npz(output)["names"]
    assert (names[0], names[511], names[512], names[-1]) == (
        "mini_block15_0",
        "mini_block15_511",
        "mini_clip0",
        "mini_clip383",
    )


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_the_path_can_be_restored_from_a_name_that_is_not_utf8(ending, tmp_path):
    output = tmp_path / f"out.{ending}"
    paths = [os.fsdecode(b"x\xe9\\.wav"), "ü日本.wav"]
    _writer(output)(output, np.zeros((2, 1), dtype=np.float32), paths, ["a0"], "0", {})
    if ending == "npz":
        written = read_npz(output)["paths"].tolist()
    else:
        written = pytest.importorskip("pyarrow.parquet").read_table(output)["path"].to_pylist()
    assert written == [r"x\xe9\\.wav", "ü日本.wav"]


def test_a_parquet_file_holds_the_values_of_an_npz_file(folder, weights):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("out.npz", "out.parquet"):
        run(folder, "-o", folder / name, "--backbone", "mn01", "--weights", weights, "--kind", "multilevel")
    table, expected = parquet.read_table(folder / "out.parquet"), read_npz(folder / "out.npz")
    assert table.column_names == ["path", *expected["names"]]
    assert table["path"].to_pylist() == expected["paths"].tolist()
    np.testing.assert_array_equal(table.drop(["path"]).to_pandas().to_numpy(), expected["embeddings"])
    assert table.schema.metadata[b"weights_sha256"].decode() == weights_digest(weights)


def test_an_interrupted_run_continues_with_the_cached_embeddings(folder, weights):
    broken = folder / "clip_2.wav"
    content = broken.read_bytes()
    broken.write_bytes(b"no audio")
    arguments = (folder, "-o", folder / "out.npz", "--backbone", "mn01", "--weights", weights)
    arguments += ("--memory", folder / "kept", "--level", "rms")
    result = run(*arguments)
    assert result.exit_code == 1
    assert "clip_2.wav: " in result.output
    assert not (folder / "out.npz").exists()
    broken.write_bytes(content)
    assert run(*arguments).exit_code == 0
    assert len(list((folder / "kept").rglob("*.npy"))) == 3


@pytest.mark.filterwarnings("default")
def test_a_recording_that_cannot_be_read_is_a_row_of_nan_with_skip(folder, weights):
    (folder / "clip_1.wav").write_bytes(b"no audio")
    result = run(
        folder, "-o", folder / "out.npz", "--backbone", "mn01", "--weights", weights, "--on-error", "skip"
    )
    assert result.exit_code == 0
    assert "Warning: left out" in result.output
    assert "1 of 3 recordings could not be read" in result.output
    assert np.isnan(read_npz(folder / "out.npz")["embeddings"]).all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "out.csv"), r"out.csv must end in .npz or .parquet"),
        (("-o", "out.npz", "--backbone", "mn11"), "backbone must be one of 'mini'"),
        (
            ("-o", "out.npz", "--backbone", "mn01", "--kind", "frames"),
            "must be one of clip, clip_stats, multilevel, block5, block11, block13, block15, logits for mn01, got",
        ),
        (("-o", "out.npz", "--backbone", "mn01", "--kind", "class_token"), "must be one of clip"),
        (("-o", "out.npz", "--kind", "clip,logits"), "for mini, got 'logits'"),
        (("-o", "out.npz", "--kind", "clip,clip"), "must name every kind once, got 'clip,clip'"),
        (("-o", "out.npz", "--jobs", 0), "must not be 0: 1 is one process"),
    ],
    ids=["ending", "backbone", "sequence", "other family", "no classes", "twice", "jobs"],
)
def test_a_wrong_command_line_is_an_error_before_any_file_is_read(folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    result = run(folder, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert sorted(path.name for path in Path().iterdir()) == [f"clip_{i}.wav" for i in range(3)]


def test_the_error_for_a_full_disk_names_the_table_and_the_old_table_stays(folder, weights, monkeypatch):
    output = folder / "out.npz"
    output.write_bytes(b"old")

    def full(path, *content):
        Path(path).write_bytes(b"half of")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(skaudio_ad.cli._embed, "_write_npz", full)
    result = run(folder, "-o", output, "--backbone", "mn01", "--weights", weights, "--level", "none")
    assert result.exit_code == 1
    assert re.search(r"out\.npz: .*MB free in .*free some space and try again", result.output)
    assert output.read_bytes() == b"old"
    assert not list(folder.glob(".*"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["out.npz", "out.parquet"])
def test_a_killed_process_leaves_the_old_table_or_the_new_table(name, tmp_path):
    if name == "out.parquet":
        pytest.importorskip("pyarrow.parquet")
    output, write = tmp_path / name, skaudio_ad.cli._embed._writer(tmp_path / name)
    embeddings, columns = np.ones((1000, 20), np.float32), [f"c{i}" for i in range(20)]

    def work():
        with atomic_path(output) as temporary:
            write(temporary, embeddings, ["a.wav"] * 1000, columns, "0" * 64, {})

    for wait in (0.0, 0.002, 0.005):
        write_until_killed(work, output.exists, wait)
        if name == "out.npz":
            assert np.load(output)["embeddings"].sum() == 20_000
        else:
            assert pytest.importorskip("pyarrow.parquet").read_table(output).shape == (1000, 21)
