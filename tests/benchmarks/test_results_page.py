import csv
import json

import pytest

from benchmarks.results_page import DOCS, MEAN, Section, collect, main, page

ABOUT = {
    "command": "python -m benchmarks.detection",
    "date": "2026-01-02",
    "environment": "A machine.",
    "notes": ["Note."],
}
LOST = "X has no recordings in /home/me/sounds: looked for folders in /home/me/sounds/x."
SECTION = Section("speed", "Speed", "Ours beside peers.", tables=("Ratios",))


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def summary(set_name, name, auc):
    ends = {"AUC low": auc - 0.1, "AUC high": auc + 0.1}
    return {"set": set_name, "configuration": name, "AUC": auc, **ends, "false alarms": 0.04, "detected": ""}


def pair(set_name, name, difference, verdict):
    ends = {"AUC low": difference - 0.01, "AUC high": difference + 0.01}
    return {"set": set_name, "configuration": name, "AUC difference": difference, **ends, "AUC is": verdict}


@pytest.fixture
def source(tmp_path):
    """Results of both kinds: of the benchmark of detection, and of a report."""
    folder = tmp_path / "source" / "detection"
    folder.mkdir(parents=True)
    (folder / "detection.json").write_text(
        json.dumps(
            {
                **ABOUT,
                "notes": ["Note."],
                "left out": {"mn10": "No weights.", "mn20": "No weights.", "X": LOST},
            }
        )
    )
    names = {"MIMII": (0.7, 0.8, 0.4), MEAN: (0.75, 0.74, 0.5)}
    write_csv(
        folder / "summary.csv",
        [
            summary(set_name, name, auc)
            for set_name, aucs in names.items()
            for name, auc in zip(("mini/nearest", "peer", "loudness"), aucs)
        ],
    )
    write_csv(
        folder / "pairs.csv",
        [
            pair("MIMII", "peer", 0.1, "better"),
            pair("MIMII", "loudness", -0.3, "worse"),
            pair(MEAN, "peer", -0.01, "level"),
            pair(MEAN, "loudness", -0.25, "worse"),
        ],
    )
    write_csv(folder / "ranks.csv", [{"configuration": "peer", "average rank": 1.25}])
    (folder / "AUC-MIMII.png").write_bytes(b"picture")
    write_csv(tmp_path / "source" / "speed-ratios.csv", [{"part": "mel", "ratio": "1.9"}])
    write_csv(tmp_path / "source" / "speed-other.csv", [{"part": "decode"}])
    tables = [
        {"title": title, "notes": notes, "file": f"speed-{title.lower()}.csv"}
        for title, notes in (("Ratios", "Higher is faster."), ("Other", ""))
    ]
    about = {**ABOUT, "data": "Clips.", "seed": 0, "tables": tables}
    (tmp_path / "source" / "speed.json").write_text(json.dumps(about))
    return tmp_path / "source"


def test_the_page_says_what_wins_and_where_the_default_loses(source, tmp_path):
    collect(source, tmp_path / "results", [SECTION])
    text = page(tmp_path / "results", [SECTION])
    assert (
        "peer has the highest mean AUC, 0.800 [0.700, 0.900]. The default, mini/nearest, is number 2 of 3 with 0.700 "
        "[0.600, 0.800], and worse than the first: the first is higher by +0.100 [+0.090, +0.110]. Better than the "
        "default: 1 (peer). Level: 0. Worse: 1."
    ) in text
    assert "mini/nearest has the highest mean AUC, 0.750 [0.650, 0.850]. This is the default" in text
    assert "| peer | 0.740 [0.640, 0.840] | -0.010 [-0.020, +0.000] | 0.800 | 1.2 | 0.04 |  |" in text
    assert "](results/detection/AUC-MIMII.png)" in text
    assert "| mn10, mn20 | No weights. |\n| X | X has no recordings in the folder of the data sets |" in text
    assert "`python -m benchmarks.detection`, 2026-01-02. A machine." in text


def test_a_report_shows_its_tables_and_links_to_the_others(source, tmp_path):
    collect(source, tmp_path / "results", [SECTION])
    text = page(tmp_path / "results", [SECTION])
    assert "### Ratios\n\n| part | ratio |\n| --- | --- |\n| mel | 1.9 |\n\nHigher is faster." in text
    assert "Further tables: [Other](results/speed-other.csv)." in text


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no results: neither"):
        collect(tmp_path, tmp_path / "results")


def test_the_command_writes_the_page(source, tmp_path):
    main(["--source", str(source), "--docs", str(tmp_path)])
    assert (tmp_path / "results.md").read_text() == page(tmp_path / "results")


def test_the_page_in_docs_is_made_of_its_files():
    assert (DOCS / "results.md").read_text(encoding="utf-8") == page(DOCS / "results")
