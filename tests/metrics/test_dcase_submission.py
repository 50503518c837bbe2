"""Files of a submission: names of every year, round trips, and errors that name file and row."""

import os

import numpy as np
import pandas as pd
import pytest

from skaudio_ad.datasets import AudioDataset
from skaudio_ad.metrics import dcase_scores, read_submission, write_submission

from .evaluators import random_submission

FILES = ["section_00_0000.wav", "section_00_0001.wav"]
CLIPS = {"file": FILES, "machine": ["fan", "fan"], "section": ["00", "00"], "domain": ["source", "target"]}
SCORES = dict(zip(FILES, [-0.25, -1.5]))
DECISIONS = dict(zip(FILES, [1, -1]))


@pytest.mark.parametrize(
    ("year", "names"),
    [
        (2020, ["anomaly_score_fan_id_00.csv"]),
        (
            2021,
            [
                "anomaly_score_fan_section_00_source_test.csv",
                "anomaly_score_fan_section_00_target_test.csv",
                "decision_result_fan_section_00_source_test.csv",
                "decision_result_fan_section_00_target_test.csv",
            ],
        ),
        (2022, ["anomaly_score_fan_section_00_test.csv", "decision_result_fan_section_00_test.csv"]),
        (2026, ["anomaly_score_fan_section_00_test.csv", "decision_result_fan_section_00_test.csv"]),
    ],
)
def test_files_are_named_by_the_rules_of_the_year(tmp_path, year, names):
    decisions = None if year == 2020 else DECISIONS
    written = write_submission(tmp_path / "new" / "team", CLIPS, SCORES, decisions=decisions, year=year)
    assert sorted(os.path.basename(path) for path in written) == names
    assert sorted(os.listdir(tmp_path / "new" / "team")) == names


def test_a_file_holds_the_negative_score_and_1_for_anomalous_without_a_header(tmp_path):
    write_submission(tmp_path, CLIPS, dict(reversed(SCORES.items())), decisions=DECISIONS, year=2024)
    scores = (tmp_path / "anomaly_score_fan_section_00_test.csv").read_text()
    assert scores == "section_00_0000.wav,0.25\nsection_00_0001.wav,1.5\n"
    decisions = (tmp_path / "decision_result_fan_section_00_test.csv").read_text()
    assert decisions == "section_00_0000.wav,0\nsection_00_0001.wav,1\n"


@pytest.mark.parametrize("year", [2020, 2021, 2024])
def test_what_was_written_is_read_again_and_gives_the_same_result(tmp_path, year):
    truth, scores, decisions = random_submission(year)
    scores = {file: score / 3 for file, score in scores.items()}  # more digits
    decisions = None if year == 2020 else decisions
    write_submission(tmp_path, truth, scores, decisions=decisions, year=year)
    (tmp_path / "report.pdf").touch()
    result = read_submission(tmp_path, year=year)
    assert dict(zip(result.scores["file"], result.scores["score"])) == scores
    machines = {file: row["machine"] for file, row in truth.items()}
    assert dict(zip(result.scores["file"], result.scores["machine"])) == machines
    again = dcase_scores(truth, result.scores, decisions=result.decisions, year=year)
    assert again == dcase_scores(truth, scores, decisions=decisions, year=year)


def test_a_table_of_recordings_is_written_and_judged_by_the_names_of_its_paths(tmp_path):
    names = [f"section_00_{index:04d}.wav" for index in range(4)]
    paths = [f"/data/{machine}/test/{name}" for machine in ("fan", "valve") for name in names]
    columns = {
        "machine": ["fan"] * 4 + ["valve"] * 4,
        "section": ["00"] * 8,
        "domain": ["source", "source", "target", "target"] * 2,
        "split": ["test"] * 8,
        "file": names * 2,
    }
    recordings = AudioDataset(paths, [1, -1] * 4, columns)
    frame, values = recordings.to_frame(), [3.0, 1.0, 2.0, 0.0, 3.0, 2.0, 1.0, 0.0]
    scores = dict(zip(paths, values))
    write_submission(tmp_path, frame, scores, decisions=dict(zip(paths, [1, -1] * 4)), year=2023)
    submission = read_submission(tmp_path, year=2023)
    assert submission.scores["file"][:2] == ["fan/section_00_0000.wav", "fan/section_00_0001.wav"]
    result = dcase_scores(frame, submission.scores, decisions=submission.decisions, year=2023)
    assert [row["auc_source"] for row in result.sections] == [1.0, 1.0]
    assert [row["auc_target"] for row in result.sections] == [1.0, 0.5]
    assert [row["f1_target"] for row in result.sections] == [1.0, 1.0]
    # The scores may also be keyed by path, in a dict or a table of any order.
    assert (
        dcase_scores(frame, scores, year=2023).sections
        == dcase_scores(frame, pd.DataFrame({"path": paths[::-1], "score": values[::-1]}), year=2023).sections
    )
    assert (
        dcase_scores(recordings, scores, year=2023).sections
        == dcase_scores(frame, scores, year=2023).sections
    )
    both = dcase_scores(frame, frame.assign(score=values), year=2023)
    assert both.sections == dcase_scores(frame, scores, year=2023).sections
    # One machine needs no machine in front of the name.
    fan = frame[frame.machine == "fan"]
    assert dcase_scores(fan, dict(zip(names, values)), year=2023).sections[0]["auc"] == 1.0


def test_names_that_differ_in_the_machine_only_are_pointed_out():
    truth = {"path": [f"a/{name}" for name in FILES], "target": [1, -1], "section": ["00"] * 2}
    with pytest.raises(
        ValueError, match="differ only in front of '/': write the machine in front on both sides"
    ):
        dcase_scores(truth, {f"fan/{name}": 1.0 for name in FILES}, year=2020)


def test_clips_without_a_published_label_are_refused_by_name():
    truth = CLIPS | {"target": [0, -1]}
    with pytest.raises(
        ValueError, match=r"no label \(target 0\) for 'section_00_0000.wav'. Add the published"
    ):
        dcase_scores(truth, SCORES, year=2023)
    with pytest.raises(
        ValueError, match=r"no label .target 0. for 'section_00_0000.wav', 'section_00_0001.wav'"
    ):
        dcase_scores(CLIPS | {"target": [0, 0]}, SCORES, year=2023)


def test_a_clip_that_is_given_by_path_and_by_name_is_refused():
    truth = {"path": [f"a/{name}" for name in FILES], "target": [1, -1], "section": ["00"] * 2}
    scores = {f"a/{name}": 1.0 for name in FILES} | {FILES[1]: 2.0}
    with pytest.raises(
        ValueError, match=r"scores holds 'section_00_0001.wav' more than once: by path and by name"
    ):
        dcase_scores(truth, scores, year=2020)


def test_the_files_of_the_official_baseline_are_read(tmp_path):
    ending = "DCASE2023T2fan_section_00_test_seed13711_id(0_)_Eval.csv"
    (tmp_path / f"anomaly_score_{ending}").write_text("section_00_0000.wav,0.5\n")
    (tmp_path / f"decision_result_{ending}").write_text("section_00_0000.wav,0\n")
    submission = read_submission(tmp_path, year=2023)
    assert submission.scores == {
        "file": ["section_00_0000.wav"], "machine": ["fan"], "section": ["00"], "score": [-0.5]
    }  # fmt: skip
    assert submission.decisions["decision"] == [1]
    with pytest.raises(ValueError, match="rules of 2023, not of 2024"):
        read_submission(tmp_path, year=2024)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"machine": ["my_fan", "fan"]},
            "machine of 'section_00_0000.wav' must consist of letters and digits",
        ),
        (
            {"section": ["0", "00"]},
            "section of 'section_00_0000.wav' must be two digits such as '00', got '0'",
        ),
        ({"file": ["a/1.wav", "b/1.wav"]}, r"'a/1.wav', 'b/1.wav' of clips without a score"),
        ({"file": [FILES[0]] * 2}, "clips holds 'section_00_0000.wav' more than once"),
    ],
)
def test_clips_that_cannot_be_submitted_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        write_submission(tmp_path, CLIPS | changes, SCORES, decisions=DECISIONS, year=2023)
    assert not os.listdir(tmp_path)


def test_two_clips_of_a_section_with_one_name_are_refused(tmp_path):
    clips, files = CLIPS | {"file": ["a/1.wav", "b/1.wav"]}, ["a/1.wav", "b/1.wav"]
    with pytest.raises(ValueError, match=r"clips holds '1.wav' twice in machine 'fan', section '00'"):
        write_submission(
            tmp_path, clips, dict.fromkeys(files, 1.0), decisions=dict.fromkeys(files, 1), year=2023
        )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "holds NaN for 'section_00_0000.wav'"),
        (np.inf, "infinite for 'section_00_0000.wav'"),
        ("high", "no number for 'section_00_0000.wav'"),
        (None, "no number for 'section_00_0000.wav'"),
    ],
)
def test_a_score_that_is_no_finite_number_is_refused_by_the_name_of_its_clip(tmp_path, value, message):
    scores = SCORES | {FILES[0]: value}
    with pytest.raises(ValueError, match=message):
        write_submission(tmp_path, CLIPS, scores, decisions=DECISIONS, year=2023)
    with pytest.raises(ValueError, match=message):
        dcase_scores(CLIPS | {"target": [1, -1]}, scores, year=2023)


def test_decisions_are_demanded_since_2021_and_follow_predict(tmp_path):
    with pytest.raises(ValueError, match="The rules of 2023 demand decisions"):
        write_submission(tmp_path, CLIPS, SCORES, year=2023)
    with pytest.raises(ValueError, match="The rules of 2020 have no decisions"):
        write_submission(tmp_path, CLIPS, SCORES, decisions=DECISIONS, year=2020)
    with pytest.raises(ValueError, match="The rules of 2020 have no decisions"):
        dcase_scores(CLIPS | {"target": [1, -1]}, SCORES, decisions=DECISIONS, year=2020)
    with pytest.raises(ValueError, match=r"as predict returns them, got 0 and 1.*read_submission"):
        write_submission(tmp_path, CLIPS, SCORES, decisions=dict(zip(FILES, [0, 1])), year=2023)
    with pytest.raises(ValueError, match=r"'section_00_0001.wav' of clips without a decision"):
        write_submission(tmp_path, CLIPS, SCORES, decisions={FILES[0]: 1}, year=2023)


def test_the_jackknife_needs_two_clips_of_each_kind():
    with pytest.raises(ValueError, match="jackknife needs two normal and two anomalous clips, got 1 and 1"):
        dcase_scores(CLIPS | {"target": [1, -1]}, SCORES, year=2020, jackknife=True)


def test_files_of_another_submission_in_the_folder_are_refused_and_own_files_replaced(tmp_path):
    write_submission(tmp_path, CLIPS, SCORES, decisions=DECISIONS, year=2023)
    write_submission(tmp_path, CLIPS, dict.fromkeys(FILES, -9.0), decisions=DECISIONS, year=2023)
    assert read_submission(tmp_path, year=2023).scores["score"] == [-9.0, -9.0]
    with pytest.raises(
        ValueError, match=r"other files of a submission, 'anomaly_score_fan_section_00_test.csv'"
    ):
        write_submission(tmp_path, CLIPS | {"machine": ["valve"] * 2}, SCORES, decisions=DECISIONS, year=2023)


def files_of(folder, scores="a.wav,1\nb.wav,2\n", decisions="a.wav,0\nb.wav,1\n", machine="fan"):
    for kind, text in (("anomaly_score", scores), ("decision_result", decisions)):
        if text is not None:
            (folder / f"{kind}_{machine}_section_00_test.csv").write_bytes(text.encode("latin-1"))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"scores": "file,score\na.wav,1\n"}, r"anomaly_score_fan.*row 1 looks like a header, \['file', 'score'\]"),
        ({"scores": "a.wav,1\nb.wav,high\n"}, r"anomaly_score_fan.*row 2: the value of 'b.wav' is no number"),
        ({"scores": "a.wav,1\nb.wav,nan\n"}, r"row 2: the value of 'b.wav' must be finite, got 'nan'"),
        ({"scores": "a.wav,1\nb.wav\n"}, r"row 2: a row must be the name of a clip, a comma and a value"),
        ({"scores": "a.wav,1\na.wav,2\n"}, r"row 2: 'a.wav' occurs twice"),
        ({"scores": ""}, r"anomaly_score_fan_section_00_test.csv is empty"),
        ({"scores": "\xe4.wav,1\n"}, "is no text in UTF-8"),
        ({"scores": None}, "holds decisions but no file anomaly_score"),
        ({"decisions": None}, "'a.wav', 'b.wav' without a decision"),
        ({"decisions": "a.wav,0\n"}, "'b.wav' without a decision"),
        ({"decisions": "a.wav,0\nb.wav,1\nc.wav,1\n"}, "'c.wav' without an anomaly score"),
        ({"decisions": "a.wav,0\nb.wav,0.5\n"}, r"decision_result.*row 2: the decision of 'b.wav' must be 0"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_named_with_its_row(tmp_path, contents, message):
    files_of(tmp_path, **contents)
    with pytest.raises(ValueError, match=message):
        read_submission(tmp_path, year=2023)


def test_names_of_another_year_are_recognised(tmp_path):
    files_of(tmp_path)
    with pytest.raises(
        ValueError, match=r"rules of 2022 to 2026, not of 2020: use read_submission.*year=2022"
    ):
        read_submission(tmp_path, year=2020)
    for name, year in (
        ("anomaly_score_fan_id_01.csv", 2020),
        ("anomaly_score_fan_section_00_source_test.csv", 2021),
    ):
        folder = tmp_path / str(year)
        folder.mkdir()
        (folder / name).write_text("a.wav,1\n")
        with pytest.raises(ValueError, match=f"'{name}'. The name follows the rules of {year}, not of 2023"):
            read_submission(folder, year=2023)
    (tmp_path / "scores.csv").touch()
    with pytest.raises(ValueError, match=r"'scores.csv', which no rule of DCASE Task 2 names.*is named like"):
        read_submission(tmp_path, year=2023)


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        read_submission(tmp_path / "nowhere", year=2023)
    with pytest.raises(FileNotFoundError, match="holds no CSV file"):
        read_submission(tmp_path, year=2023)
    with pytest.raises(ValueError, match="year must be one of 2020"):
        read_submission(tmp_path, year=2019)
