"""
Detect abnormal heart and lung sounds with a dense autoencoder on MFCCs
=======================================================================

A published project trains a dense autoencoder on normal heart and lung sounds of HLS-CMDS and calls a
recording abnormal if the reconstruction is bad. The project reports these mean errors:

==================  ==========
recordings          mean error
==================  ==========
normal              0.0142
abnormal            0.0685
ratio               4.8
==================  ==========

This example rebuilds the project. The settings above the line "our choice" are published:

==================  ======================================================================
setting             value
==================  ======================================================================
sample rate         22.05 kHz
features            MFCCs, min-max scaling fitted on the training set
network             input-128-32-128-input with ReLU
training            mean squared error, Adam with a learning rate of 1e-3, early stopping
split               70/15/15 of the normal recordings; all abnormal ones in the test set
**our choice**
coefficients        13, the usual number
input               all frames side by side
batch               8 recordings
duration            the first 5 s instead of 15 s, so that this page builds in half a minute
==================  ======================================================================

``python -m benchmarks.detection.heart_lung`` evaluates ten splits of the 15 s, with classical detectors beside
the autoencoder, and :doc:`/systems/heart_lung` has these figures. The detector is
:class:`~skaudio_ad.detectors.AutoencoderDetector` in a pipeline of :func:`~skaudio_ad.presets.make_preset`.

**The data set holds many recordings twice,** bit for bit, under different names. With a split by file, copies
of training recordings reach the test set, and the test set looks easy. So every figure is given twice: split
by file, as published, and on distinct recordings only. The second figure is the honest one.

If HLS-CMDS is missing (environment variable ``SKAUDIO_AD_DATA``), the page uses generated sounds of a pump.
"""

# %%
# Load the recordings
# -------------------
import matplotlib.pyplot as plt
import numpy as np

from skaudio_ad.datasets import load_hls_cmds, make_machine_sounds
from skaudio_ad.inspection import LossCurveDisplay, ScoreDistributionDisplay
from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval
from skaudio_ad.presets import make_preset

try:
    sets = {sound: load_hls_cmds(sound=sound) for sound in ("heart", "lung")}
    clips = {name: data.paths for name, data in sets.items()}
    print("HLS-CMDS:")
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of a pump:")
    data = make_machine_sounds(24, 40, machine="pump", duration=2.0, sample_rate=22050, random_state=0)
    data.groups = np.arange(len(data.target))
    sets, clips = {"pump": data}, {"pump": data.waveforms}

for name, data in sets.items():
    distinct = len(np.unique(data.groups))
    n_normal = np.sum(data.target == 1)
    print(f"{name}: {len(data.target)} recordings, {n_normal} of them normal, {distinct} distinct")

# %%
# Compute the features once
# -------------------------
#
# The preset is a pipeline. All steps before the last two, scaling and detector, learn nothing. So these steps
# run once for all splits.
duration = 5.0 if "heart" in sets else 2.0
features = {
    name: make_preset("heart_lung", duration=duration)[:-2].fit_transform(clips[name]) for name in sets
}

# %%
# Evaluate three splits
# ---------------------
#
# 15 % of the normal recordings are set aside for testing. From the rest the detector itself holds out its
# ``validation_fraction``, 15 % of all, to stop early and to set the threshold. No abnormal recording and no
# label takes part in any choice.


def evaluate(X, y, seed):
    """Return the fitted pipeline, the errors and the labels of one split."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 1))
    n_test = max(2, round(0.15 * len(normal)))
    test = np.concatenate([normal[:n_test], np.flatnonzero(y == -1)])
    model = make_preset("heart_lung", random_state=seed)[-2:].fit(X[normal[n_test:]])
    return model, -model.score_samples(X[test]), y[test]


results = {}
for name, data in sets.items():
    keep = np.sort(np.unique(data.groups, return_index=True)[1])
    for how, rows in (("by file", np.arange(len(data.target))), ("distinct", keep)):
        X, y = features[name][rows], data.target[rows]
        results[name, how] = [evaluate(X, y, seed) for seed in range(3)]

# %%
# Compare the results
# -------------------
#
# Mean errors and ratio are medians over three splits, because splits differ much: some have a copy of every
# test recording in their training set. The interval of the AUC is a bootstrap within the first split. The
# range is over the three splits.
header = ("", "split", "normal", "abnormal", "ratio", "AUC of split 0 [95 %]", "AUC of three splits")
print("{:6} {:9} {:>8} {:>8} {:>6}  {:22} {:>20}".format(*header))
for (name, how), splits in results.items():
    normal = [errors[y == 1].mean() for _, errors, y in splits]
    abnormal = [errors[y == -1].mean() for _, errors, y in splits]
    ratio = np.median(np.divide(abnormal, normal))
    aucs = [anomaly_auc_score(y, -errors) for _, errors, y in splits]
    _, errors, y = splits[0]
    low, high = bootstrap_interval(anomaly_auc_score, y, -errors)
    print(
        f"{name:6} {how:9} {np.median(normal):8.4f} {np.median(abnormal):8.4f} {ratio:6.1f}  "
        f"{aucs[0]:.3f} [{low:.3f}, {high:.3f}]   "
        f"{np.mean(aucs):8.3f} ({min(aucs):.3f}-{max(aucs):.3f})"
    )

# %%
# Check the loss curves for overfitting
# -------------------------------------
#
# The training loss keeps falling while the held-out loss settles or rises. With a dozen recordings of
# thousands of values each, the network learns its recordings by heart. The weights of the best epoch are
# kept. With a split by file the held-out loss falls further, because copies of held-out recordings are in the
# training set.
name = list(sets)[-1]
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, how in zip(axes, ("by file", "distinct")):
    LossCurveDisplay.from_estimator(results[name, how][0][0], ax=ax)
    ax.set_title(f"{name}, {how}")

# %%
# Plot the errors and the threshold
# ---------------------------------
#
# Only the held-out recordings set the threshold. On distinct recordings there are only two held-out
# recordings, so the threshold is far from the scores: Student's interval for two values is wide.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, how in zip(axes, ("by file", "distinct")):
    model, errors, y = results[name, how][0]
    ScoreDistributionDisplay.from_predictions(y, -errors, offset=model[-1].offset_, ax=ax, bins=30)
    ax.set_title(f"{name}, {how}: score = -error")
plt.show()
# sphinx_gallery_thumbnail_number = 2
