"""Run the program of the official baseline several times in one process, and time its training.

The benchmark ``official`` starts this file with the interpreter of the program, in a copy of the program's folder. The
file needs nothing but the program. The program itself stays as published: every run executes its ``train.py`` with
arguments, and a wrapper reads the clocks around every epoch.

Arguments: a JSON file with a list of runs, and a JSON file for the results. A run is {"machine", "seed", "epochs",
"arguments"}, where "arguments" are lists of arguments of ``train.py``, one list for every time that it is executed. A
result has the machine and the seed, the seconds of all epochs and the CPU seconds, and the error of a run that failed.
"""

import json
import runpy
import sys
import time
import traceback
from pathlib import Path


def main(runs_file, results_file):
    """Execute all runs, and write the results after every run."""
    sys.path.insert(0, str(Path.cwd()))
    import torch

    clock = _time_epochs()
    results = []
    for run in json.loads(Path(runs_file).read_text(encoding="utf-8")):
        clock.update(wall=0.0, cpu=0.0, epochs=run["epochs"])
        error = None
        for arguments in run["arguments"]:
            sys.argv = ["train.py", *arguments]
            torch.set_grad_enabled(True)  # the program switches gradients off after its training
            try:
                runpy.run_path("train.py", run_name="__main__")
            except (
                Exception,
                SystemExit,
            ) as problem:  # the error of a run is its result, and the others go on
                traceback.print_exc()
                error = f"{type(problem).__name__}: {problem}"
                break
        results.append(
            {
                "machine": run["machine"],
                "seed": run["seed"],
                "seconds": clock["wall"],
                "CPU seconds": clock["cpu"],
                "error": error,
            }
        )
        Path(results_file).write_text(json.dumps(results), encoding="utf-8")


def _time_epochs():
    """Add clocks to the program's method of an epoch. The pass after the last epoch, for covariances, is not timed."""
    from networks.dcase2023t2_ae.dcase2023t2_ae import DCASE2023T2AE

    clock = {"wall": 0.0, "cpu": 0.0, "epochs": 0}
    train = DCASE2023T2AE.train

    def timed(self, epoch):
        wall, cpu = time.perf_counter(), time.process_time()
        train(self, epoch)
        if epoch <= clock["epochs"]:
            clock["wall"] += time.perf_counter() - wall
            clock["cpu"] += time.process_time() - cpu

    DCASE2023T2AE.train = timed
    return clock


if __name__ == "__main__":
    main(*sys.argv[1:])
