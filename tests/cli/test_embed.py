"""``skaudio-ad embed``: recordings to a table of embeddings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from skaudio_ad import MobileNetEmbedding
from skaudio_ad.cli import main
from skaudio_ad.embeddings import weights_digest
from skaudio_ad.networks import MobileNet


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with weights of mn01, which mean nothing."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(MobileNet(0.1).state_dict(), folder / "weights.pt")
    return str(folder / "weights.pt")


@pytest.fixture
def folder(write_wavs, tmp_path):
    """A folder of three recordings."""
    write_wavs([9000, 16000, 4000], sample_rate=16000)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["embed", *map(str, arguments)], catch_exceptions=False)


def test_a_folder_becomes_a_table_with_the_names_of_rows_and_columns(folder, weights):
    output = folder / "out.npz"
    result = run(folder, "-o", output, "--backbone", "mn01", "--weights", weights)
    assert result.exit_code == 0, result.output
    assert "out.npz: 3 x 96 values of mn01" in result.output
    table = np.load(output)
    paths = [str(path) for path in sorted(folder.glob("*.wav"))]
    assert table["paths"].tolist() == paths
    assert table["names"][:2].tolist() == ["mn01_clip0", "mn01_clip1"]
    assert str(table["weights_sha256"]) == weights_digest(weights)
    np.testing.assert_array_equal(
        table["embeddings"], MobileNetEmbedding("mn01", weights=weights).transform(paths)
    )
    assert not list(folder.glob(".*"))


def test_parquet_holds_the_same(folder, weights):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("out.npz", "out.parquet"):
        run(folder, "-o", folder / name, "--backbone", "mn01", "--weights", weights, "--kind", "multilevel")
    table, expected = parquet.read_table(folder / "out.parquet"), np.load(folder / "out.npz")
    assert table.column_names == ["path", *expected["names"]]
    assert table["path"].to_pylist() == expected["paths"].tolist()
    np.testing.assert_array_equal(table.drop(["path"]).to_pandas().to_numpy(), expected["embeddings"])
    assert table.schema.metadata[b"weights_sha256"].decode() == weights_digest(weights)


def test_an_interrupted_run_goes_on_where_it_stopped(folder, weights):
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
    assert len(list((folder / "kept").rglob("output.pkl"))) == 3


@pytest.mark.filterwarnings("default")
def test_a_recording_that_cannot_be_read_is_a_row_of_nan_if_asked_for(folder, weights):
    (folder / "clip_1.wav").write_bytes(b"no audio")
    result = run(
        folder, "-o", folder / "out.npz", "--backbone", "mn01", "--weights", weights, "--on-error", "skip"
    )
    assert result.exit_code == 0
    assert "Warning: left out" in result.output
    assert "1 of 3 recordings could not be read" in result.output
    assert np.isnan(np.load(folder / "out.npz")["embeddings"]).all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "out.csv"), r"out.csv must end in .npz or .parquet"),
        (("-o", "out.npz", "--backbone", "mn11"), "backbone must be one of 'mn01'"),
        (
            ("-o", "out.npz", "--backbone", "mn01", "--kind", "frames"),
            "must be one of clip, multilevel, logits for mn01, got 'frames'",
        ),
        (("-o", "out.npz", "--backbone", "mn01", "--kind", "class_token"), "must be one of clip"),
    ],
    ids=["ending", "backbone", "sequence", "other family"],
)
def test_a_command_line_that_cannot_be_is_refused_before_anything_is_read(
    folder, monkeypatch, arguments, message
):
    monkeypatch.chdir(folder)
    result = run(folder, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert sorted(path.name for path in Path().iterdir()) == [f"clip_{i}.wav" for i in range(3)]
