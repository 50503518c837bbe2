"""Figures of the benchmark of detection: one for each set."""

import re

from skaudio_ad._atomic import atomic_path
from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.inspection._drawing import CURVES, MARKERS

from ._configurations import FALSE_ALARMS, REFERENCE

# Height of a row and of everything else, in inches.
_ROW, _REST = 0.21, 1.6
KINDS = ("pretrained backbone", "spectral statistics", "loudness", "PyOD", "system")
_GREY = "#666666"


def picture_name(set_name):
    """Return the name of the file with the picture of a set.

    Parameters
    ----------
    set_name : str

    Returns
    -------
    str
    """
    return f"AUC-{re.sub('[^A-Za-z0-9]+', '_', set_name)}.png"


def kind_of(name):
    """Return the kind of a configuration, one of `KINDS`.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    feature = re.split("[:/]", name)[0]
    if "pyod" in name.lower():
        return "PyOD"
    if feature == "loudness":
        return "loudness"
    if feature in BACKBONES:
        return "pretrained backbone"
    return "spectral statistics" if feature in ("log-mel", "mfcc") else "system"


def draw(rows, title, path):
    """Draw AUC with interval, and the rates of false alarms and detections beside it, the best AUC on top.

    The name of the default is bold.

    Parameters
    ----------
    rows : list of dict
        Rows of one set from ``_tables.summary_rows``. Rows without AUC are left out.
    title : str
    path : path-like
    """
    from matplotlib.figure import Figure

    rows = sorted((row for row in rows if row["AUC"] is not None), key=lambda row: row["AUC"])
    if not rows:
        return
    styles = {kind: (MARKERS[i], CURVES[i] if i != 2 else _GREY) for i, kind in enumerate(KINDS)}
    figure = Figure(figsize=(10, _ROW * len(rows) + _REST), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, row in enumerate(rows):
        marker, colour = styles[kind_of(row["configuration"])]
        ends = [[row["AUC"] - row["AUC low"]], [row["AUC high"] - row["AUC"]]]
        left.errorbar(
            row["AUC"], place, xerr=ends, fmt=marker, color=colour, capsize=2, markersize=5, linewidth=1.2
        )
        if row["false alarms"] is not None:
            right.plot(row["false alarms"], place, marker, color=colour, markersize=5)
            right.plot(row["detected"], place, marker, color=colour, markersize=5, fillstyle="none")
    left.axvline(0.5, color="0.5", linestyle=":", linewidth=1)
    right.axvline(FALSE_ALARMS, color="0.3", linestyle="--", linewidth=1)
    left.set_yticks(range(len(rows)), [row["configuration"] for row in rows], fontsize=8)
    left.set(xlabel="mean AUC with 95 % interval; dotted: chance", ylim=(-0.8, len(rows) - 0.2))
    right.set(xlabel=f"share with an alarm; dashed: {FALSE_ALARMS}", xlim=(-0.03, 1.03))
    for label, row in zip(left.get_yticklabels(), rows):
        label.set_fontweight("bold" if row["configuration"] == REFERENCE else "normal")
    for axes in (left, right):
        axes.grid(axis="y", color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    present = [kind for kind in KINDS if any(kind_of(row["configuration"]) == kind for row in rows)]
    handles = [
        left.plot([], [], styles[kind][0], color=styles[kind][1], label=kind, markersize=5)[0]
        for kind in present
    ]
    handles += [
        right.plot([], [], "o", color="0.3", label="false alarms", markersize=5)[0],
        right.plot([], [], "o", color="0.3", label="detected anomalies", markersize=5, fillstyle="none")[0],
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
