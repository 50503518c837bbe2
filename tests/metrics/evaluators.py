"""Random submissions to DCASE Task 2, and the result files that the official evaluators write for them.

``python -m tests.metrics.evaluators FOLDER`` runs the evaluators below FOLDER on the random submissions and writes
``evaluator_results/YEAR.csv``. FOLDER holds clones of y-kawagu/dcase2020_task2_evaluator,
y-kawagu/dcase2021_task2_evaluator, Kota-Dohi/dcase2022_evaluator, nttcslab/dcase2023_task2_evaluator and
nttcslab/dcase2024_task2_evaluator. The evaluators need seaborn, matplotlib and Python 3.11 or older.
"""

import contextlib
import csv
import io
import os
import runpy
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from skaudio_ad.metrics import write_submission

RESULTS = Path(__file__).parent / "evaluator_results"
YEARS = (2020, 2021, 2022, 2023, 2024)
MACHINES = ("fan", "gearbox", "pump", "valve")


def random_submission(year):
    """Make truth, scores and decisions of four machines of two sections, by file.

    The scores have two decimals, so that some are equal. In 2023 one section has no alarm, so that ratios are 0.
    """
    random, truth, scores, decisions = np.random.RandomState(year), {}, {}, {}
    for machine in MACHINES:
        for section in ("00", "01"):
            for index in range(24):
                domain = "source" if random.uniform() < 0.5 or index < 2 else "target"
                target = -1 if random.uniform() < 0.5 else 1
                if index < 4:  # Every domain gets a normal and an anomalous clip.
                    domain, target = ("source", "target")[index // 2], (1, -1)[index % 2]
                name = {
                    2020: f"id_{section}_{index:08d}.wav",
                    2021: f"section_{section}_{domain}_test_{index:04d}.wav",
                }.get(year, f"section_{section}_{index:04d}.wav")
                file = f"{machine}/{name}"
                truth[file] = {"machine": machine, "section": section, "domain": domain, "target": target}
                scores[file] = round(float(random.normal(-2 + 0.8 * target)), 2)
                decisions[file] = 1 if scores[file] > random.normal(-2, 0.5) else -1
                if year == 2023 and machine == "pump" and section == "01":
                    decisions[file] = 1
    return truth, scores, decisions


def run_evaluator(year, folder):
    """Run the evaluator of a year below `folder` on the random submission, and return the text of its result file."""
    pattern = "*2020*/evaluator.py" if year == 2020 else f"*/dcase{year}_task2_evaluator.py"
    (script,) = Path(folder).glob(pattern)
    truth, scores, decisions = random_submission(year)
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        if (script.parent / "tools").is_dir():
            shutil.copytree(script.parent / "tools", "tools")
        team = "teams/ours" if year < 2022 else "teams/all/ours"
        write_submission(team, truth, scores, decisions=None if year == 2020 else decisions, year=year)
        _write_truth(truth, year)
        arguments, path = sys.argv, sys.path[:]
        sys.argv = [str(script)]
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                runpy.run_path(str(script), run_name="__main__")
        finally:
            sys.argv, sys.path = arguments, path
            sys.path_importer_cache.pop("./", None)  # an entry of the temporary folder
            for name in [name for name in sys.modules if name.partition(".")[0] == "tools"]:
                del sys.modules[name]
        result = Path("teams/result_ours.csv" if year == 2020 else "teams_result/ours_result.csv")
        return result.read_text()


def _write_truth(truth, year):
    """Write the ground truth in the layout of the evaluator."""
    if year == 2020:
        with open("eval_data_list.csv", "w", newline="") as file:
            writer = csv.writer(file)
            for machine in MACHINES:
                writer.writerow([machine])
                writer.writerows(
                    [Path(path).name, "unused.wav", int(row["target"] == -1)]
                    for path, row in truth.items()
                    if row["machine"] == machine
                )
        return
    tables = {}
    for path, row in truth.items():
        end = f"_{row['domain']}_test.csv" if year == 2021 else "_test.csv"
        name = f"ground_truth_{row['machine']}_section_{row['section']}{end}"
        clip = Path(path).name
        for folder, entry in (
            ("ground_truth_data", [clip, int(row["target"] == -1)]),
            ("ground_truth_domain", [clip, int(row["domain"] == "target")]),
            ("ground_truth_attributes", [clip, f"{clip[:-4]}_noAttribute"]),
        ):
            tables.setdefault(os.path.join(folder, name), []).append(entry)
    for path, rows in tables.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    RESULTS.mkdir(exist_ok=True)
    for each in YEARS:
        (RESULTS / f"{each}.csv").write_text(run_evaluator(each, os.path.abspath(sys.argv[1])))
