"""``skaudio-ad weights``."""

import csv
import json

import pytest
from click.testing import CliRunner

import skaudio_ad.embeddings._registry
from skaudio_ad.cli import main
from skaudio_ad.embeddings import BACKBONES, Backbone, ListedBackbone, find_weights

from ..weights_server import serve

_CONTENT = b"PK\x03\x04" + bytes(5000)


def run(*arguments):
    return CliRunner().invoke(main, ["weights", *map(str, arguments)])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "skaudio_ad" / "weights"


@pytest.fixture
def server(monkeypatch):
    """Start a server with a small file, and register the file as mn10."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(_CONTENT) as server:
        mn10 = Backbone(**{**vars(BACKBONES["mn10"]), "url": server.url})
        monkeypatch.setitem(skaudio_ad.embeddings._registry._BACKBONES, "mn10", mn10)
        yield server


def test_list_prints_all_weights_and_their_places(cache):
    cache.mkdir(parents=True)
    path = cache / BACKBONES["mn04"].filename
    path.write_bytes(_CONTENT)
    result = run("list")
    assert result.exit_code == 0, result.output
    header, *rows, labels, last = result.stdout.splitlines()
    assert header.split() == [
        *("name", "weights,", "M", "GMAC", "time", "kHz", "values", "mAP", "RMIS", "SIREN", "MB", "licence"),
        "where",
    ]
    assert [row.split()[0] for row in rows] == [*BACKBONES]
    mn04 = next(row.split() for row in rows if row.startswith("mn04 "))
    assert (mn04[1], mn04[4:8], mn04[8:]) == ("0.98", ["32", "384", "0.432", "4.1"], ["MIT", str(path)])
    assert next(row.split() for row in rows if row.startswith("passt_s_kd "))[-3:] == [
        "Apache-2.0",
        "not",
        "here",
    ]
    assert labels.startswith("Names of AudioSet's classes")
    assert labels.endswith("not here: `skaudio-ad weights download audioset_labels`")
    assert last == f"Looked in {cache}"


def test_the_list_fits_into_120_columns(cache):
    lines = run("list").stdout.splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith(("mini ", "Looked in"))] == []


def test_the_list_can_be_limited_to_a_family_and_to_this_machine(cache):
    names = [line.split()[0] for line in run("list", "--here").stdout.splitlines()]
    assert names[:2] == ["name", "mini"]
    assert names[2] == "Names"
    family = run("list", "--family", "passt").stdout.splitlines()
    assert {line.split("_")[0] for line in family[1:-1]} == {"passt"}
    assert run("list", "--family", "passt", "--here").stdout.splitlines()[1:] == [f"Looked in {cache}"]
    assert run("list", "--family", "resnet").exit_code == 2


def test_the_list_is_written_as_csv_and_as_json(cache, tmp_path):
    table, data = tmp_path / "table.csv", tmp_path / "table.json"
    result = run("list", "--family", "mobilenet", "--csv", table, "--json", data)
    assert result.exit_code == 0, result.output
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made = json.loads(data.read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == [row["name"] for row in made]
    assert list(rows[0]) == list(made[0]) == list(ListedBackbone.__dataclass_fields__)
    mn10 = next(row for row in made if row["name"] == "mn10")
    assert (mn10["mean_average_precision"], mn10["relative_time"], mn10["path"]) == (0.471, 1.0, None)
    assert run("list", "--csv", tmp_path / "missing" / "table.csv").exit_code == 1


def test_path_finds_the_weights_that_download_has_written(cache, server):
    path = cache / BACKBONES["mn10"].filename
    result = run("download", "mn10", "mn10_as")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"mn10: {path}\nmn10_as: {path}\n"
    assert "Downloading http" in result.stderr
    assert path.read_bytes() == _CONTENT
    assert len(server.requests) == 1
    result = run("path", "mn10")
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")


def test_a_quiet_download_prints_only_the_path(cache, server):
    assert run("download", "mn10", "--quiet").stderr == ""
    assert len(server.requests) == 1


def test_path_downloads_nothing_and_its_error_says_how_to_get_the_weights(cache, server):
    result = run("path", "mn10")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "mn10_as_mAP_471.pt is not on this machine" in result.stderr
    assert f"save {server.url} as {cache}" in result.stderr
    assert server.requests == []


def test_a_failed_download_is_an_error_of_one_line(cache, server):
    server.statuses = [404]
    result = run("download", "mn10")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: mn10 could not be downloaded: the server answered 404" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [("path", "mn11"), ("download", "mn10", "mn11")])
def test_an_unknown_name_is_an_error_of_the_command_line_before_any_download(command, cache, server):
    result = run(*command)
    assert result.exit_code == 2
    assert "one of 'mini'" in result.stderr
    assert "got 'mn11'" in result.stderr
    assert server.requests == []


def test_a_variable_that_names_a_missing_folder_is_an_error(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path / "missing"))
    result = run("list")
    assert result.exit_code == 1
    assert "environment variable SKAUDIO_AD_WEIGHTS must name a folder or file" in result.stderr


def test_the_weights_of_the_package_are_listed_found_and_not_downloaded(cache):
    path = find_weights("mini")
    line = next(line.split() for line in run("list").stdout.splitlines() if line.startswith("mini "))
    assert line[-3:] == ["1.1", "BSD-3-Clause", str(path)]
    assert (run("path", "mini").exit_code, run("path", "mini").stdout) == (0, f"{path}\n")
    result = run("download", "mini")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"mini: {path}\n", "")
    assert not cache.exists()
