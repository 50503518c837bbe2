"""Pictures of the demo: all detectors beside each other, and the scores of the detector on the backbone."""

import numpy as np

from ..inspection import ScoreDistributionDisplay
from ..inspection._drawing import CURVES, MARKERS
from ._pictures import save_figure


def draw_comparison(rows, path):
    """Draw the AUC of every detector on every machine, with the interval.

    Parameters
    ----------
    rows : list of dict
        Rows of results.csv.
    path : pathlib.Path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    ax = figure.subplots()
    machines = list(dict.fromkeys(row["machine"] for row in rows))
    detectors = list(dict.fromkeys(row["detector"] for row in rows))
    for number, name in enumerate(detectors):
        own = [row for row in rows if row["detector"] == name]
        auc = np.array([row["auc"] for row in own])
        errors = [auc - [row["auc_low"] for row in own], [row["auc_high"] for row in own] - auc]
        place = np.arange(len(machines)) + 0.14 * (number - (len(detectors) - 1) / 2)
        ax.errorbar(
            place, auc, errors, fmt=MARKERS[number], color=CURVES[number], capsize=3, markersize=6, label=name
        )
    ax.axhline(0.5, color="0.5", linestyle=":", label="a coin")
    ax.set_xticks(range(len(machines)), machines)
    ax.set(ylabel="AUC, with 95 % interval", title="Faults that no detector was trained on")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)


def draw_distribution(y_test, scores, offset, machine, path):
    """Draw the scores of the test clips of one machine and the threshold.

    Parameters
    ----------
    y_test, scores : ndarray of shape (n_clips,)
    offset : float
    machine : str
    path : pathlib.Path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    display = ScoreDistributionDisplay.from_predictions(y_test, scores, offset=offset, ax=figure.subplots())
    display.ax_.set_title(f"{machine}: clips that the detector was not trained on")
    save_figure(figure, path)
