"""
Make a report, and listen to anomalous recordings
=================================================

A score says that a recording is unusual. Whether the recording matters is for a person to hear.
:func:`~skaudio_ad.report.make_report` writes one HTML page with the summary, the recordings sorted by score, their
spectrograms and sounds, and the nearest normal recording of each. The page needs no network. :doc:`/report` explains
every part of the page.

If MIMII is missing (environment variable ``SKAUDIO_AD_DATA``), the page uses generated sounds of a valve.
"""

# %%
# Train a detector that knows the time
# ------------------------------------
#
# With ``output="frames"`` every frame of a recording has a score of its own, so the report can show when a recording
# sounds wrong. Half of the normal recordings train the detector. The other half and the anomalous ones are new.
import html
import tempfile
from pathlib import Path

import numpy as np

from skaudio_ad import make_detector
from skaudio_ad.datasets import load_mimii, make_machine_sounds
from skaudio_ad.inspection import LocalScoreDisplay
from skaudio_ad.recordings import score_recordings
from skaudio_ad.report import make_report, read_marks

folder = Path(tempfile.mkdtemp())
try:
    data = load_mimii("valve", ids="id_00")
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of a valve:")
    data = make_machine_sounds(
        16, 3, machine="valve", duration=2.0, output_dir=folder / "sounds", random_state=0
    )
paths, is_normal = np.array(data.paths), data.target == 1
normal, others = paths[is_normal][::2], paths[is_normal][1::2]
new = [*others[:2], *paths[~is_normal][:2]]
y = [1, 1, -1, -1]
detector = make_detector(output="frames", false_alarms=0.1).fit(normal)

# %%
# Show when the least normal recording sounds wrong
# -------------------------------------------------
scored = score_recordings(detector, new)
worst = min(scored, key=lambda recording: recording.score)
LocalScoreDisplay.from_estimator(detector, worst.path)

# %%
# Write the report
# ----------------
#
# ``normal`` names the recordings to compare with: by ear, by the level of frequency bands, and in words. ``y`` is
# optional and adds the ROC curve.
page = make_report(detector, new, folder / "report.html", normal=list(normal), y=y, title="Valves")
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB for {len(new)} recordings")


# %%
# Here is the page itself. Choose a recording in the list, press the space bar to play, and press ``?`` for all keys.
class Shown:
    """Show a page inside the page of this example."""

    def _repr_html_(self):
        text = html.escape(page.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{text}" title="Report" width="100%" height="800"></iframe>'


Shown()

# %%
# Use the marks
# -------------
#
# In the page, ``c`` confirms an anomaly, ``f`` marks a false alarm, and ``u`` marks a doubt. The page exports the marks
# as a table. ``read_marks`` turns the table into labels: -1, 1 and 0. Here the table is written by hand.
table = folder / "marks.csv"
table.write_text(f"path,mark\n{worst.path},confirmed\n{others[0]},false alarm\n", encoding="utf-8")
labels = read_marks(table, new)
print(labels)

# %%
# Labels of a few recordings say how well the detector works on recordings of your own, and
# :class:`~skaudio_ad.thresholds.ROCThreshold` can use them.
