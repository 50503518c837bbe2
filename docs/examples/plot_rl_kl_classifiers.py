"""
Straight or bent: when LogisticRegression does the same
=======================================================

``RLKLClassifier`` tells normal from anomalous clips by the two losses of a variational autoencoder, RL and KL. Linear
throughout (``activation="identity"``), its layers multiply out to one straight boundary: the model is logistic
regression, found by a thousand steps of Adam. With ReLU the boundary may bend. When is that worth it?

Three scenes of generated losses, log-normal as losses are, with known answers. Accuracies are of 5-fold
cross-validation.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import RLKLClassifier
from skaudio_ad.inspection import RLKLDisplay

rng = np.random.default_rng(0)
N = 200
normal = rng.normal(size=(N, 2))
anomalies = {
    "anomalies moved": rng.normal(size=(N, 2)) + [1.2, 0.8],
    "anomalies scattered": 3 * rng.normal(size=(N, 2)),
    "anomalies on both sides": rng.normal(size=(N, 2)) * [1, 0.7] + rng.choice([-3, 3], size=(N, 1)) * [0, 1],
}
y = np.repeat([1, -1], N)
classifiers = {
    "linear throughout": RLKLClassifier(activation="identity", random_state=0),
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression(C=np.inf)),
    "with ReLU": RLKLClassifier(activation="relu", random_state=0),
}

# %%
# Every scene, every classifier
# -----------------------------
#
# Columns are RL, a few hundredths, and KL, around a thousand.
figure, axes = plt.subplots(3, 3, figsize=(12, 11), sharex="row", sharey="row", layout="constrained")
for row, (scene, points) in zip(axes, anomalies.items()):
    losses = np.exp(np.vstack([normal, points]) * [0.3, 0.4]) * [0.02, 1000]
    said = {name: cross_val_predict(c, losses, y, cv=5) for name, c in classifiers.items()}
    for ax, (name, classifier) in zip(row, classifiers.items()):
        RLKLDisplay.from_predictions(y, losses, classifier=classifier.fit(losses, y), ax=ax)
        ax.set_title(f"{scene}\n{name}: accuracy {np.mean(said[name] == y):.3f}")
    same = np.mean(said["linear throughout"] == said["LogisticRegression"])
    print(f"{scene}: linear throughout and LogisticRegression agree on {same:.1%} of the clips")

# %%
# What to take from it
# --------------------
#
# Linear throughout, the network decides as ``LogisticRegression`` without a penalty does, which is found in a
# millisecond: prefer it. ReLU pays where anomalies surround the normal clips or lie on both sides of them, as those of
# a VAE do that reconstructs silence too well and noise too badly. Where a straight line is best, ReLU only adapts to
# the noise of the training clips.
plt.show()
