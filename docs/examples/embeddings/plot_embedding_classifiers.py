"""
Classify clips with heads on a pretrained network
=================================================

A pretrained network turns a clip into a sequence of embeddings, one every 0.32 s. A small head on top of the frozen
network learns the classes of labelled clips in seconds. This page compares the usual heads:

- a linear layer on one embedding a clip, the mean over time;
- a linear layer on every frame, with predictions that are pooled over time;
- a recurrent network (GRU) on the sequence, with a linear layer on every state and the same pooling.

The page also checks that a head can learn at all, shows the loss curves, and classifies clips that hold two
sounds one after the other. The network is "mini", which is part of the package.

The head is :class:`~skaudio_ad.detectors.SequenceClassifier`. :doc:`/systems/embeddings` says which published
system has these heads.

The recordings are five classes of ESC-10. If ESC-10 is missing (environment variable ``SKAUDIO_AD_DATA``), the page
uses generated sounds of four types of machine, which every head can separate.
"""

# %%
# Load the recordings and embed them once
# ---------------------------------------
#
# Clips that are cut from one recording are in one fold of ESC-10. So training on three folds and testing on the
# other two tests on new recordings. Four clips of every class and fold keep the page short.
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest

from skaudio_ad import AudioLoader, MobileNetEmbedding, SequenceClassifier
from skaudio_ad.datasets import load_esc10, make_machine_sounds
from skaudio_ad.inspection import LossCurveDisplay
from skaudio_ad.training import overfit_batch

try:
    data = load_esc10("dog bark")
    names = ["Dog bark", "Rain", "Sea waves", "Chainsaw", "Helicopter"]
    category, fold = data.metadata["category"], data.metadata["fold"]
    chosen = [np.flatnonzero((category == name) & (fold == k))[:4] for name in names for k in range(1, 6)]
    chosen = np.concatenate(chosen)
    paths, y, train = np.array(data.paths)[chosen], category[chosen], fold[chosen] <= 3
    duration = 5
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of machines:")
    names, duration = ["fan", "pump", "slider", "valve"], 2
    folders = [tempfile.mkdtemp() for _ in names]
    made = [
        make_machine_sounds(12, 0, machine=name, duration=2.0, output_dir=folder, random_state=0)
        for name, folder in zip(names, folders)
    ]
    paths = np.concatenate([sounds.paths for sounds in made])
    y = np.repeat(names, 12)
    train = np.tile(np.arange(12) < 7, len(names))

clips = AudioLoader(32000, duration=duration, channel=0).fit_transform(paths)
embedding = MobileNetEmbedding("mini", output="frames")
frames = embedding.fit_transform(clips)
print(f"{train.sum()} clips to train on, {np.sum(~train)} to test; clips, features, frames: {frames.shape}")

# %%
# Check that a head can learn
# ---------------------------
#
# Before a training on all clips, the head should learn eight clips by heart. If it does not, the learning rate, the
# labels or the features are wrong. ``overfit_batch`` switches regularisation, early stopping and held-out clips off.
# The second check fails, because the learning rate is far too low.
for learning_rate in (1e-3, 1e-6):
    head = SequenceClassifier("gru", learning_rate=learning_rate, random_state=0)
    print(overfit_batch(head, frames[train], y[train], max_epochs=60))

# %%
# Compare the heads
# -----------------
#
# A tenth of the training clips is held out for early stopping. The standardisation, the classes and the stopping
# come from the training clips alone. The mean of the frames is the clip embedding of the network. Every head is trained
# with two seeds. A seed changes the initial weights and the held-out clips. The interval is Wilson's, for the last
# seed, and takes the test clips for independent of each other.
settings = {"max_epochs": 60, "n_iter_no_change": 5}
heads = {
    "linear, one embedding a clip": (SequenceClassifier(**settings), frames.mean(axis=2)),
    "linear, mean over frames": (SequenceClassifier(**settings), frames),
    "linear, maximum over frames": (SequenceClassifier(pooling="max", **settings), frames),
    "linear, attention": (SequenceClassifier(pooling="attention", **settings), frames),
    "GRU, mean over frames": (SequenceClassifier("gru", **settings), frames),
    "GRU, last state": (SequenceClassifier("gru", pooling="last", **settings), frames),
}
fitted, results = {}, {}
for name, (head, X) in heads.items():
    runs = []
    for seed in range(2):
        fitted[name] = head.set_params(random_state=seed).fit(X[train], y[train])
        runs.append(head.score(X[~train], y[~train]))
    n_test = int(np.sum(~train))
    low, high = binomtest(round(runs[-1] * n_test), n_test).proportion_ci(method="wilson")
    results[name] = runs, (low, high)
    size = head.describe(X.shape[2] if X.ndim == 3 else 1).parameters
    shown = ", ".join(f"{accuracy:.2f}" for accuracy in runs)
    print(f"{name:30} {size:7} parameters, accuracy {shown}; last seed [{low:.2f}, {high:.2f}]")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for position, (runs, interval) in enumerate(results.values()):
    left.plot(interval, [position] * 2, color="0.7", linewidth=6, solid_capstyle="butt")
    left.plot(runs, [position] * 2, "|", color="#0072B2", markersize=14, markeredgewidth=2)
left.axvline(1 / len(names), color="black", linestyle=":", label="chance")
left.set_yticks(range(len(results)), results)
left.invert_yaxis()
left.set(xlim=(0, 1.02), xlabel="accuracy on new recordings", title="Two seeds, and an interval of 95 %")
left.legend(loc="lower left")
LossCurveDisplay.from_estimator(fitted["GRU, mean over frames"], ax=right)
right.set_title("GRU, mean over frames")
plt.show()

# %%
# The intervals overlap: so few test clips choose no head. The clip embedding with a linear layer has the fewest
# parameters and is the first to try. Frames and recurrent heads are for sounds that are short, for several sounds in a
# clip, and for the question when a sound was heard.

# %%
# Find two sounds in one clip
# ---------------------------
#
# Now a clip has two labels: the embeddings of two clips of different classes follow each other. The head learns from
# labels of whole clips, 0 or 1 for every class, which say nothing about order or time. Training pairs are joined from
# training clips, and test pairs from test clips. Joining embeddings is a simplification: the embeddings of two sounds
# in one recording would also depend on each other near the join.
#
# The maximum over time suits this task: a class is in a clip if it is in one of the frames. With a mean, a sound that
# fills half of a clip could not get a probability above one half. A step changes the prediction for one frame of a clip
# only, so the learning rate is higher than before. No pairs are held out, because pairs share their clips: the loss of
# held-out pairs would be too low.
rng = np.random.default_rng(0)


def pairs(clips, n_pairs):
    """Return joined frames of two clips of different classes, and 0 or 1 for every class."""
    joined, labels = [], []
    while len(joined) < n_pairs:
        first, second = rng.choice(clips, 2, replace=False)
        if y[first] != y[second]:
            joined.append(np.concatenate([frames[first], frames[second]], axis=1))
            labels.append([int(name in (y[first], y[second])) for name in names])
    return np.stack(joined), np.array(labels)


X_train, Y_train = pairs(np.flatnonzero(train), 80)
X_test, Y_test = pairs(np.flatnonzero(~train), 60)
tagger = SequenceClassifier(pooling="max", learning_rate=0.01, validation_fraction=0, random_state=0)
tagger.fit(X_train, Y_train)
print(f"all classes right: {tagger.score(X_test, Y_test):.0%} of {len(X_test)} pairs")
print(
    f"decisions right: {np.mean(tagger.predict(X_test) == Y_test):.0%}, always no: {np.mean(Y_test == 0):.0%}"
)

# %%
# ``predict_proba_frames`` says when each class was heard. The figure shows the first test pair. The head was never
# told the time of a sound.
proba = tagger.predict_proba_frames(X_test[:1])[0]
seconds = np.concatenate(
    [embedding.frames_to_seconds(np.arange(frames.shape[2])) + k * duration for k in (0, 1)]
)
figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
for name, curve, present in zip(names, proba, Y_test[0]):
    ax.plot(seconds, curve, ".-" if present else ":", label=name + (" (in the clip)" if present else ""))
ax.axvline(duration, color="0.6", label="second sound begins")
ax.set(xlabel="time (s)", ylabel="probability in the frame", ylim=(-0.02, 1.02), title="A pair of test clips")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
# sphinx_gallery_thumbnail_number = 2
