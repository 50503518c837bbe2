"""
Detect anomalies with a pretrained network and nearest neighbours
=================================================================

A factory has two dozen recordings of normal slide rails and no recording of a fault. That is too little to
train a network. A network that was trained on the two million clips of AudioSet needs no more training. The
frozen network turns a clip into a few hundred numbers, and a clip far from all normal clips in these numbers
is called anomalous.

This page shows the network, a detector in five steps beside the same detector on log-mel statistics, the
outputs, and the time of an anomaly. The page also shows the network's tags, the limits, the wrong sample
rate, and the costs. The network is "mn04", a small MobileNet of EfficientAT [1]_ that knows the classes of
AudioSet. ``make_detector`` builds such a pipeline in one call, on "mini", which is part of the package.
``python -m benchmarks.detection.pretrained`` measures more.

If MIMII and ESC-10 are missing (environment variable ``SKAUDIO_AD_DATA``), the page uses generated sounds. If
the weights are missing (``skaudio-ad weights download mn04 audioset_labels``), the page uses random weights,
and no figure means anything.

The detector is a pipeline of :class:`~skaudio_ad.audio.AudioLoader`, :class:`~skaudio_ad.audio.LevelNormalizer`,
:class:`~skaudio_ad.embeddings.MobileNetEmbedding` and :class:`~skaudio_ad.detectors.NearestNeighborsDetector`.
:doc:`/systems/embeddings` has figures of more networks.

.. [1] F. Schmid, K. Koutini and G. Widmer, "Efficient large-scale audio tagging via transformer-to-CNN
   knowledge distillation", ICASSP 2023.
"""

# %%
# Load the recordings
# -------------------
#
# MIMII at -6 dB contains more factory noise than machine sound. The first six normal clips of each of four
# slide rails train. The other normal clips and all anomalous ones test. Every clip is brought to one level,
# because the first recordings of a class share a background, and its level alone would separate the classes.
import tempfile
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    BackboneEmbedding,
    ClipScaler,
    LevelNormalizer,
    MelTransformer,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    TemporalPooling,
)
from skaudio_ad.datasets import load_esc10, load_mimii, make_machine_sounds
from skaudio_ad.embeddings import WeightsError, class_labels, weights_path
from skaudio_ad.inspection import LocalScoreDisplay, ScoreDistributionDisplay
from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval


def recordings(machine):
    """Return paths and labels of one type of machine, and a mask of the training clips."""
    try:
        data = load_mimii(machine)
        ids = data.metadata["machine_id"]
    except FileNotFoundError:
        settings = {"duration": 1.0, "output_dir": tempfile.mkdtemp(), "random_state": 0}
        data = make_machine_sounds(12, 5, machine=machine, **settings)
        ids = np.zeros(len(data.target))
    train = np.zeros(len(ids), dtype=bool)
    for name in np.unique(ids):
        train[np.flatnonzero((ids == name) & (data.target == 1))[:6]] = True
    return np.array(data.paths), data.target, train


try:
    load_mimii("slider")
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of machines:")
paths, y, train = recordings("slider")
print(
    f"{train.sum()} clips to train on; {np.sum(y[~train] == 1)} normal and {np.sum(y == -1)} anomalous to test"
)

# %%
# Describe the network
# --------------------
#
# ``describe`` counts the operations without loading the weights. The receptive field is the region that one
# value of a feature map depends on. At the last layer the receptive field covers more than the 128 bands, and
# 595 frames of 10 ms. One embedding comes every 0.32 s, but each of them can depend on six seconds.
try:
    weights_path("mn04", download=False)
    class_labels(download=False)
    weights = "pretrained"
except WeightsError as error:
    print(f"{error}\nThe page uses random weights, so the figures below mean nothing.")
    weights = None
    warnings.filterwarnings("ignore", message="MobileNetEmbedding with weights=None")

print(BackboneEmbedding("mn04").describe())

# %%
# The next lines show a larger MobileNet, and a transformer (``PaSSTEmbedding``), too. Operations are for ten
# seconds of sound.
for name in ("mn04", "mn10", "passt_s_swa"):
    size = BackboneEmbedding(name).describe()
    print(
        f"{name:12} {size.parameters / 1e6:6.2f} million parameters, "
        f"{size.multiply_accumulates / 1e9:7.2f} billion multiply-accumulates"
    )

# %%
# Build a detector in five steps
# ------------------------------
#
# The network was trained at 32 kHz. The loader resamples; the empty upper half of the spectrum of a 16 kHz
# recording does no harm. The head keeps the embeddings of the training clips. The score of a new clip is
# minus its distance to the nearest of them. The second detector is the same head on usual statistics: mean
# and deviation over time of every log-mel band.
detectors = {
    "log-mel statistics": make_pipeline(
        AudioLoader(16000, channel=0),
        LevelNormalizer(),
        MelTransformer(),
        TemporalPooling(),
        StandardScaler(),
        NearestNeighborsDetector(),
    ),
    "embeddings": make_pipeline(
        AudioLoader(32000, channel=0),
        LevelNormalizer(),
        MobileNetEmbedding("mn04", weights=weights),
        StandardScaler(),
        NearestNeighborsDetector(),
    ),
}


def auc(y, score):
    """Return the AUC and its bootstrap interval."""
    return anomaly_auc_score(y, score), *bootstrap_interval(anomaly_auc_score, y, score)


figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, (name, detector) in zip(axes, detectors.items()):
    score, offset = detector.fit(paths[train]).score_samples(paths[~train]), detector[-1].offset_
    ScoreDistributionDisplay.from_predictions(y[~train], score, offset=offset, ax=ax, bins=16)
    ax.set(title=f"slide rail, {name}", xlabel="score = minus the distance to the nearest training clip")
    ax.margins(y=0.5)  # room for the legend
    alarms, found = (np.mean(score[y[~train] == label] < offset) for label in (1, -1))
    print(
        "{:20} AUC {:.3f} [{:.3f}, {:.3f}]".format(name, *auc(y[~train], score)),
        f" false alarms {alarms:.0%}, detected {found:.0%}",
    )

# %%
# On statistics the scores of both kinds of clips overlap. On embeddings most anomalous clips are further from
# the training clips than any normal clip. The threshold comes from the 24 training clips alone, each compared
# with the others. This threshold raises no false alarm here and misses a third of the faults.

# %%
# Choose an output
# ----------------
#
# "clip" is the mean of the last feature map over frequency and time. "frames" keeps time as the last axis,
# and every frame is compared with the frames of all training clips. "multilevel" has the means of the
# spectrogram and of earlier feature maps, which know more about the sound and less about its class. Any
# detector of scikit-learn works as a head as well.
clips = make_pipeline(AudioLoader(32000, channel=0), LevelNormalizer()).fit_transform(paths)
embeddings, seconds = {}, {}
for output in ("clip", "multilevel", "frames"):
    start = time.perf_counter()
    embeddings[output] = MobileNetEmbedding("mn04", output=output, weights=weights).fit_transform(clips)
    seconds[output] = time.perf_counter() - start

heads = {
    ("clip", "nearest clip"): make_pipeline(StandardScaler(), NearestNeighborsDetector()),
    ("clip", "OneClassSVM"): make_pipeline(StandardScaler(), OneClassSVM()),
    ("multilevel", "nearest clip"): make_pipeline(StandardScaler(), NearestNeighborsDetector()),
    ("frames", "nearest frame"): make_pipeline(
        ClipScaler("zscore", statistics="bin"), NearestNeighborsDetector()
    ),
}
for (output, name), head in heads.items():
    X = embeddings[output]
    low_and_high = auc(y[~train], head.fit(X[train]).score_samples(X[~train]))
    shape = " x ".join(map(str, X.shape[1:]))
    print(f"{output:11} {shape:9} {name:14}", "AUC {:.3f} [{:.3f}, {:.3f}]".format(*low_and_high))

# %%
# The intervals overlap: 36 test clips choose no winner.

# %%
# Show when a clip sounds wrong
# -----------------------------
#
# The detector on frames scores each frame, and ``frames_to_seconds`` of the network gives the time of a
# frame. The figure shows the least normal test clip:
listener = make_pipeline(
    AudioLoader(32000, channel=0),
    LevelNormalizer(),
    MobileNetEmbedding("mn04", output="frames", weights=weights),
    ClipScaler("zscore", statistics="bin"),
    NearestNeighborsDetector(),
)
score = listener.fit(paths[train]).score_samples(paths[~train])
LocalScoreDisplay.from_estimator(listener, paths[~train][np.argmin(score)])

# %%
# An embedding can depend on six seconds, so the time needs a check. MIMII does not say when its faults sound.
# So the next figure adds a known fault: half a second of a squeal, 10 dB below the clip, in the most normal
# of the test clips.
sound = AudioLoader(32000, channel=0).fit_transform([paths[~train][np.argmax(score)]])[0]
middle = len(sound) // 64000  # whole seconds
at = slice(32000 * middle, 32000 * middle + 16000)
faulty = sound.copy()
faulty[at] += np.sqrt(0.2 * np.mean(sound**2)) * np.sin(2 * np.pi * 3000 * np.arange(16000) / 32000)

figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
for name, clip, colour in (("as recorded", sound, "#0072B2"), ("with a squeal", faulty, "#D55E00")):
    local = listener[-1].score_frames(listener[:-1].transform([clip]))[0]
    ax.plot(listener[2].frames_to_seconds(np.arange(len(local))), local, ".-", color=colour, label=name)
ax.axvspan(at.start / 32000, at.stop / 32000, color="0.85", label="the squeal")
ax.set(xlabel="time (s)", ylabel="score of the frame", title="A normal clip, and the same with a squeal")
ax.legend()

# %%
# List the tags of the network
# ----------------------------
#
# ``predict_tags`` gives the likeliest of AudioSet's 527 classes. ESC-10 has ten kinds of sound. For 344 of
# its 400 clips, the class of the clip is among the first five tags. AudioSet has no slide rail, so the tags
# of slide rails are of little use: a clock, a printer. The embeddings separate slide rails nevertheless.
try:
    data = load_esc10("dog bark")
    names, first = np.unique(data.metadata["category"], return_index=True)
    examples = dict(zip(names, np.array(data.paths)[first]))
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of machines:")
    examples = {name: recordings(name)[0][0] for name in ("fan", "pump", "slider", "valve")}
examples |= {"slide rail, normal": paths[y == 1][0], "slide rail, anomalous": paths[y == -1][0]}
tagger = MobileNetEmbedding("mn04", weights=weights)
if weights is not None:
    tags = tagger.predict_tags(AudioLoader(32000, channel=0).transform(list(examples.values())), top=3)
    for name, heard in zip(examples, tags):
        print(f"{name:22}", ", ".join(f"{tag} {probability:.2f}" for tag, probability in heard))

# %%
# Know where embeddings fail
# --------------------------
#
# The figure compares the same two detectors on all four types of machine with loudness. Loudness is the
# distance of the original level of a clip from the mean of the training clips.
results = {}
for machine in ("slider", "pump", "valve", "fan"):
    paths, y, train = recordings(machine)
    for name, detector in detectors.items():
        results[machine, name] = auc(y[~train], detector.fit(paths[train]).score_samples(paths[~train]))
    level = [10 * np.log10(np.mean(clip**2)) for clip in AudioLoader(16000, channel=0).fit_transform(paths)]
    distance = np.abs(level - np.mean(np.array(level)[train]))
    results[machine, "loudness"] = auc(y[~train], -distance[~train])

figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
colours = {"log-mel statistics": "#0072B2", "embeddings": "#D55E00", "loudness": "0.5"}
for offset, (name, colour) in zip((-0.2, 0, 0.2), colours.items()):
    values = np.array([found for (_, which), found in results.items() if which == name])
    bars = np.abs(values[:, 1:] - values[:, :1]).T
    ax.errorbar(np.arange(4) + offset, values[:, 0], bars, fmt="o", capsize=3, color=colour, label=name)
ax.axhline(0.5, color="black", linestyle=":", label="chance")
ax.set_xticks(range(4), dict.fromkeys(machine for machine, _ in results))
ax.set(
    ylim=(0, 1.02),
    ylabel="AUC, with its interval of 95 %",
    title="MIMII at -6 dB, 24 normal clips to train on",
)
ax.legend(loc="lower left")

# %%
# - Slide rails and pumps: embeddings detect faults that statistics do not.
# - Valves: with this head no feature is shown to be better than chance. A OneClassSVM on the same embeddings
#   has an AUC of 0.74 [0.56, 0.89].
# - Fans: loudness alone separates the clips, by their backgrounds rather than by their faults. At one level
#   statistics and embeddings guess.
#
# So compare your own detector with loudness, and try it on faults of your own before you trust it.

# %%
# Avoid the wrong sample rate
# ---------------------------
#
# At a wrong rate the network would hear sound that is too fast or too slow, and give no error. So clips that
# know their rate are refused at a wrong rate:
rooster = examples.get("Rooster", paths[0])
clip_at_16_khz = AudioLoader(16000, channel=0).fit_transform([rooster])
try:
    tagger.transform(clip_at_16_khz)
except ValueError as error:
    print(error)

# %%
# Arrays do not know their rate and are assumed to be at 32 kHz. The next lines show the tags of a rooster at
# the wrong rate:
if weights is not None:
    for rate in (32000, 16000):
        clip = AudioLoader(rate, channel=0).fit_transform([rooster])[0]
        heard = tagger.predict_tags([clip], top=3)[0]
        print(f"at {rate} Hz:", ", ".join(f"{tag} {probability:.2f}" for tag, probability in heard))

# %%
# Compare the costs
# -----------------
#
# The output gives seconds for the clips of all slide rails, with reading and resampling. The last two lines
# use a folder that caches the embeddings.
for output, passed in seconds.items():
    print(f"{output:14} {passed:6.2f} s for {len(clips)} clips")
with tempfile.TemporaryDirectory() as folder:
    for run in ("first", "again"):
        start = time.perf_counter()
        MobileNetEmbedding("mn04", weights=weights, memory=folder).fit_transform(clips)
        print(f"memory, {run:6} {time.perf_counter() - start:6.2f} s")

# %%
# mn10 has five times as many operations as mn04, and PaSST a thousand times as many.
#
# - Embeddings do not depend on the detector. Embed once, keep the array, and try heads on it, as above, or
#   give every pipeline the same folder as ``memory``. ``n_jobs`` spreads a large corpus over processes.
# - A clip longer than ten seconds is embedded in windows, one every 2.5 s, and outputs without time are the
#   mean of the windows. A clip of 15 s needs seven windows. ``hop=10`` is cheaper, and so is a loader's
#   ``duration=10``.
# - Weights are read from the disk once per process. A pickled pipeline holds the name and the checksum of the
#   weights, not the network.
plt.show()
# sphinx_gallery_thumbnail_number = 2
