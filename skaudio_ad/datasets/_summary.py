"""Summaries of data sets for the console and for notebooks, instead of their arrays."""

import html

import numpy as np
from sklearn.utils import Bunch

from .._clip_errors import shown


class SoundsBunch(Bunch):
    """Bunch of sounds in memory or in a folder. The console shows a summary and no samples."""

    def __repr__(self):
        n_samples = None if self.waveforms is None else self.waveforms.shape[1]
        length = "" if n_samples is None else f" of {n_samples / self.sample_rate:g} s"
        normal, anomalous = (int(np.sum(self.target == label)) for label in (1, -1))
        faults = few(self.metadata["fault"][self.target == -1])
        return (
            f"<{self.machine} sounds: {len(self.target)} clips{length} at {self.sample_rate} Hz, {normal} normal, "
            f"{anomalous} anomalous{f' ({faults})' if faults else ''}; entries: {', '.join(self)}>"
        )

    def _repr_html_(self):
        return f"<p>{html.escape(repr(self))}</p>"


def few(values):
    """Name the first four of the different values, and count the others."""
    names = [name for name in np.unique(values).tolist() if name]
    return ", ".join(map(str, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def summary_table(title, rows):
    """Return an HTML table of names and texts. Everything is text and never markup."""
    body = "".join(
        f'<tr><th style="text-align:left">{html.escape(shown(name))}</th>'
        f'<td style="text-align:left;overflow-wrap:anywhere">{html.escape(shown(text))}</td></tr>'
        for name, text in rows
    )
    return f"<div><p>{html.escape(title)}</p><table><tbody>{body}</tbody></table></div>"
