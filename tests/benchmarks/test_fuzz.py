"""A small part of the fuzz campaign in this process: no crash, no hang, no lost file, no scored truncation."""

import json

import pytest

from benchmarks import fuzz
from benchmarks._fuzz_files import LIES, ODD_NAMES, SHARES
from benchmarks._fuzz_routes import PYTHON, REFUSED, SCORED

N_FILES = 120


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    return *fuzz.prepare(folder, N_FILES, seed=1), folder


@pytest.mark.filterwarnings("ignore::skaudio_ad.audio.AudioReadWarning")
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # flipped bits of floats
@pytest.mark.parametrize("route", PYTHON)
def test_damaged_files_do_not_affect_other_files(campaign, route):
    cases, pipeline, folder = campaign
    files = {}
    PYTHON[route](pipeline, json.loads((folder / "paths.json").read_text()), files.__setitem__)
    wrong = {case: files.get(case.path) for case in cases if files.get(case.path) not in (SCORED, REFUSED)}
    assert wrong == {}
    for kind, result in [
        ("intact", SCORED),
        ("intact, odd name", SCORED),
        ("length unknown", SCORED),
        ("truncated", REFUSED),
        ("no audio", REFUSED),
        ("no file", REFUSED),
    ]:
        others = [case for case in cases if case.kind == kind and files[case.path] != result]
        # The length of an mp3 without its Xing header is an estimate, which may be too long.
        assert [case for case in others if case.format != "mp3" or kind != "length unknown"] == []
    row = fuzz.judge(route, cases, files, {"ended": 0, "hung": False, "growth": 0.0, "said": ""})
    assert (row["files"], row["crashes"], row["hangs"], row["rows missing"]) == (len(cases), 0, 0, 0)
    assert row["truncated, scored"] == 0
    kinds = fuzz.count_kinds(cases, files)
    assert sum(kind["files"] for kind in kinds) == len(cases)
    assert sum(kind["scored"] for kind in kinds) == row["scored"] == sum(r == SCORED for r in files.values())


def test_the_campaign_has_files_of_every_kind_and_is_the_same_for_the_same_seed(campaign, tmp_path):
    cases, _, folder = campaign
    assert {case.kind for case in cases} == set(SHARES)
    assert len({case.path for case in cases}) == len(cases)
    assert len({case.format for case in cases if case.kind == "lying header"}) == min(
        len(LIES), N_FILES // 10
    )
    assert len(ODD_NAMES) > 10
    again = fuzz.make_files(tmp_path, N_FILES, seed=1)
    for one, other in zip(cases, again):
        assert (one.kind, one.format) == (other.kind, other.format)
        assert one.path.removeprefix(str(folder / "files")) == other.path.removeprefix(str(tmp_path))


def test_crashes_hangs_missing_rows_and_scored_truncations_are_counted(campaign):
    cases, _, _ = campaign
    truncated = [case.path for case in cases if case.kind == "truncated"]
    files = {case.path: REFUSED for case in cases} | {
        truncated[0]: SCORED,
        truncated[1]: "hung",
        truncated[2]: "crash: KeyError(0)",
    }
    del files[truncated[3]]
    facts = {"ended": 0, "hung": False, "growth": 1.0, "said": ""}
    row = fuzz.judge("score_recordings", cases, files, facts)
    # A missing row also counts as a crash, because the route did not finish.
    assert [row[name] for name in ("crashes", "hangs", "rows missing", "truncated, scored")] == [2, 1, 1, 1]
    row = fuzz.judge(
        "skaudio-ad fit --on-error skip", cases, {}, facts | {"hung": True, "ended": None, "trained": 0}
    )
    assert (row["crashes"], row["hangs"], row["rows missing"]) == (0, 1, "-")
