"""
Tune a backbone on labels of normal clips, or leave it frozen
=============================================================

Anomalous clips are rare, but normal clips have labels: the machine, the section, the patient.
:class:`~skaudio_ad.embeddings.FineTunedEmbedding` trains a pretrained backbone to tell these labels apart, and a
detector then works on the tuned embedding. With few clips the network may learn them by heart, and the frozen embedding
is then the better choice.

This page draws the learning curve: the AUC against the number of training clips of every class. The head is the same
everywhere, whitened nearest neighbours. If ESC-10 is missing (environment variable ``SKAUDIO_AD_DATA``), the page uses
generated sounds of machines.
"""

# %%
# Load clips with labels
# ----------------------
#
# Normal clips come from several classes, and the labels are the names of these classes. The anomalous clips are of
# classes, or of machines with faults, that the training never sees. Every clip is brought to one level and is in
# memory at 32 kHz, the rate of the backbone.
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    FineTunedEmbedding,
    LevelNormalizer,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    ShrinkageWhitener,
)
from skaudio_ad.datasets import load_esc10, make_machine_sounds
from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval


def real_clips():
    """Return clips, labels, a mask of the clips to train on, and 1 or -1 of every clip: four classes of ESC-10."""
    data = load_esc10("dog bark")
    names, fold = np.asarray(data.metadata["category"]).astype(str), np.asarray(data.metadata["fold"])
    classes = np.unique(names)
    chosen = np.isin(names, classes[:4]) | (np.isin(names, classes[4:7]) & (fold == 5))
    normal = np.where(np.isin(names, classes[:4]), 1, -1)[chosen]
    load = make_pipeline(AudioLoader(32000, channel=0, duration=3.0, pad="zeros"), LevelNormalizer())
    clips = load.fit_transform([data.paths[i] for i in np.flatnonzero(chosen)])
    return np.asarray(clips), names[chosen], (normal == 1) & (fold[chosen] != 5), normal


def generated_clips():
    """Return generated sounds of three types of machine, as `real_clips` does."""
    clips, labels, normal = [], [], []
    for seed, machine in enumerate(("fan", "pump", "valve")):
        data = make_machine_sounds(12, 4, machine=machine, duration=1.0, sample_rate=32000, random_state=seed)
        clips.append(data.waveforms)
        labels += [machine] * len(data.target)
        normal.append(data.target)
    clips, labels, normal = np.concatenate(clips), np.array(labels), np.concatenate(normal)
    train = np.zeros(len(labels), dtype=bool)
    for machine in np.unique(labels):
        train[np.flatnonzero((labels == machine) & (normal == 1))[:8]] = True
    return LevelNormalizer().fit_transform(clips), labels, train, normal


try:
    clips, labels, train, normal = real_clips()
    sizes, epochs, n_windows = (2, 8, 32), 4, 96
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of machines:")
    clips, labels, train, normal = generated_clips()
    sizes, epochs, n_windows = (2, 8), 3, 24
test = ~train
n_test = {label: np.sum(normal[test] == label) for label in (1, -1)}
print(f"{train.sum()} clips to train on; {n_test[1]} normal and {n_test[-1]} anomalous to test")

# %%
# Tune on more and more clips
# ---------------------------
#
# Every detector gets the same clips of every class: the first 2, then more. The tuned backbone gets their labels, too.
# ``trainable="lora"`` trains small adapters and leaves the weights of the network as they are. Windows of an epoch are
# drawn at random. Their number is the same for all sizes, so that a larger training set does not mean more steps.


def detect(embedding, chosen):
    """Fit an embedding and the head on some clips, and return the scores of the test clips."""
    embedded = embedding.fit(clips[chosen], labels[chosen]).transform(clips)
    head = make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector()).fit(embedded[chosen])
    return head.score_samples(embedded[test])


frozen = MobileNetEmbedding("mini")
curves = {"frozen": [], "tuned, all layers": [], "tuned, adapters": []}
for size in sizes:
    first = [np.flatnonzero(train & (labels == label))[:size] for label in np.unique(labels[train])]
    chosen = np.concatenate(first)
    settings = {
        "window": 1.0,
        "windows_per_clip": max(1, n_windows // len(chosen)),
        "max_epochs": epochs,
        "validation_fraction": 0,
        "random_state": 0,
    }
    embeddings = {
        "frozen": frozen,
        "tuned, all layers": FineTunedEmbedding(frozen, trainable="all", **settings),
        "tuned, adapters": FineTunedEmbedding(frozen, trainable="lora", **settings),
    }
    for name, embedding in embeddings.items():
        start = time.perf_counter()
        scores = detect(embedding, chosen)
        auc = anomaly_auc_score(normal[test], scores)
        interval = bootstrap_interval(anomaly_auc_score, normal[test], scores)
        curves[name].append((auc, *interval))
        print(
            f"{size:3} clips a class, {name:18} AUC {auc:.3f} [{interval[0]:.3f}, {interval[1]:.3f}], "
            f"{time.perf_counter() - start:.1f} s"
        )

# %%
# Compare the curves
# ------------------
#
# Bars are bootstrap intervals of the test clips. They do not hold the chance of the training: another ``random_state``
# gives other curves. ``python -m benchmarks.detection.fine_tuning`` measures more tasks.
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for place, (name, curve) in enumerate(curves.items()):
    auc, low, high = np.transpose(curve)
    # Points of one size stand side by side, so that no bar covers another.
    x = np.array(sizes) * 1.06 ** (place - 1)
    ax.errorbar(x, auc, [auc - low, high - auc], label=name, marker="o", capsize=3)
ax.set(xscale="log", xlabel="training clips of every class", ylabel="AUC of anomalous clips")
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.minorticks_off()
ax.legend(loc="lower right")

# %%
# Look at the training
# --------------------
#
# The loss of the last tuning falls: the network learns the labels. A low loss does not mean a better detector. Held-out
# clips (``validation_fraction``) show when the network begins to learn clips by heart, and stop the training.
tuned = embeddings["tuned, all layers"]
print(
    f"loss of every epoch: {', '.join(f'{loss:.2f}' for loss in tuned.loss_curve_)}; end: {tuned.stopped_by_}"
)

# %%
# Set the threshold on other clips
# --------------------------------
#
# A threshold needs clips that took no part in the tuning, because the distances between training clips are too small:
# the whitening has seen these clips, and the tuned network has seen them, too. The next lines show the share of normal
# test clips below the threshold that the head takes from its training clips. The threshold aims at 5 %.
for name in ("frozen", "tuned, all layers"):
    embedded = embeddings[name].transform(clips)
    head = make_pipeline(ShrinkageWhitener(), NearestNeighborsDetector()).fit(embedded[chosen])
    alarms = np.mean(head.predict(embedded[test & (normal == 1)]) == -1)
    print(f"{name}: {alarms:.0%} false alarms with a threshold from the training clips")
plt.show()
