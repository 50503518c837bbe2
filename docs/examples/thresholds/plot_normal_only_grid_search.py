"""
Choose a detector and a threshold with normal clips and a few anomalies
=======================================================================

A user has a folder of normal recordings and a few recordings of faults. scikit-learn can search for the best
detector and can set a threshold, but its tools were made for classifiers. Used without care, these tools
train on the anomalies, and judge a threshold by clips that the detector was trained on. This page shows both
mistakes, and then the right way with a few anomalies and without any.

The tools are :class:`~skaudio_ad.model_selection.NormalOnly`, :class:`~skaudio_ad.model_selection.NormalOnlySplit` and
:class:`~skaudio_ad.thresholds.ThresholdedDetector`.

The clips are slide rails of MIMII at -6 dB. The features are embeddings of a frozen MobileNet. If MIMII is
missing (environment variable ``SKAUDIO_AD_DATA``), the page uses generated sounds. If the weights are missing
(``skaudio-ad weights download mn04``), the page uses random weights, and no figure means anything. ``python
-m benchmarks.detection.thresholds`` and ``python -m benchmarks.detection.label_free`` measure the same on more data.
"""

# %%
# Load the recordings
# -------------------
#
# The user has 60 % of the normal clips and half of the anomalous ones *at hand*. All other clips are the
# future, and take part in no choice.
import tempfile
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skaudio_ad import (
    AudioLoader,
    ConformalThreshold,
    LevelNormalizer,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    NormalOnly,
    NormalOnlySplit,
    QuantileThreshold,
    ROCThreshold,
    ThresholdedDetector,
)
from skaudio_ad.datasets import load_mimii, make_machine_sounds
from skaudio_ad.embeddings import WeightsError, weights_path
from skaudio_ad.inspection import PValueCalibrationDisplay, ROCDisplay, ThresholdDisplay
from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval
from skaudio_ad.model_selection import (
    get_anomaly_scorer,
    inlier_variance_scorer,
    normal_only_train_test_split,
    pseudo_anomaly_scorer,
)

folder, n_draws = tempfile.TemporaryDirectory(), 40
try:
    data = load_mimii("slider")
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds:")
    data = make_machine_sounds(
        40, 10, machine="slider", duration=1.0, output_dir=f"{folder.name}/sounds", random_state=0
    )
    n_draws = 10
train, faults, future, y_train, y_faults, y_future = normal_only_train_test_split(
    data.paths, y=data.target, validation_size=0, test_size=0.4, anomalies="shared", random_state=0
)
at_hand, y = [*train, *faults], np.concatenate([y_train, y_faults])
for name, labels in (("at hand", y), ("in the future", y_future)):
    print(f"{name}: {np.sum(labels == 1)} normal and {np.sum(labels == -1)} anomalous clips")

# %%
# The search covers the whole pipeline, from the file to the score. ``memory`` caches every embedding, so a
# search embeds each clip once. The search may choose the detector, its settings, and whether to standardise.
try:
    weights_path("mn04", download=False)
    weights = "pretrained"
except WeightsError as error:
    print(f"{error}\nThe page uses random weights, so the figures below mean nothing.")
    weights = None
    warnings.filterwarnings("ignore", message="MobileNetEmbedding with weights=None")

pipeline = Pipeline(
    [
        ("load", AudioLoader(32000, channel=0)),
        ("level", LevelNormalizer()),
        ("embed", MobileNetEmbedding("mn04", weights=weights, random_state=0, memory=f"{folder.name}/kept")),
        ("scale", StandardScaler()),
        ("detect", NearestNeighborsDetector()),
    ]
)
candidates = {
    "scale": [StandardScaler(), "passthrough"],
    "detect": [
        NearestNeighborsDetector(),
        NearestNeighborsDetector(n_neighbors=4),
        OneClassSVM(nu=0.1),
        OneClassSVM(nu=0.5),
        OneClassSVM(nu=0.5, gamma=1e-4),
        IsolationForest(n_estimators=50, random_state=0),
    ],
}

# %%
# Mistake 1: train on anomalies in a search
# -----------------------------------------
#
# A plain ``GridSearchCV`` has folds that hold both kinds of clips. Its labels are those of a classifier, True
# and False, and detectors ignore such labels: they take every clip of a fold as normal, and every clip of the
# last fit. Labels of 1 and -1 would help the detectors of this package, which leave out clips labelled -1
# with a warning. Such labels would not help the detectors of scikit-learn, nor the scaler.
folds = StratifiedKFold(4, shuffle=True, random_state=0)
wrong = GridSearchCV(pipeline, candidates, scoring="roc_auc", cv=folds).fit(at_hand, y == 1)


def describe(pipeline):
    """Describe scaler and detector of a pipeline."""
    scale = "as they are" if pipeline["scale"] == "passthrough" else "standardised"
    return f"{pipeline['detect']}, {scale}"


def future_auc(detector):
    """Return the AUC on the clips of the future, with its interval."""
    score = detector.score_samples(future)
    low, high = bootstrap_interval(anomaly_auc_score, y_future, score)
    return f"AUC on the future {anomaly_auc_score(y_future, score):.2f} [{low:.2f}, {high:.2f}]"


print(f"{np.sum(y == -1)} of the {len(y)} clips that trained the detector are anomalous")
print(f"chose {describe(wrong.best_estimator_)}; {future_auc(wrong.best_estimator_)}")

# %%
# Search without training on anomalies
# ------------------------------------
#
# Two things differ. ``NormalOnlySplit`` splits the normal clips into folds and tests every anomaly in each
# fold, so no training fold holds an anomaly. ``NormalOnly`` wraps the whole pipeline and not only the
# detector, so the anomalies also stay out of the scaler, and out of the last fit, which uses all clips of the
# search.
#
# The scorer has a name of its own, because scikit-learn's ``"average_precision"`` would take the normal clips
# as the positive class.
nested = {f"estimator__{name}": values for name, values in candidates.items()}
splits = NormalOnlySplit(KFold(4, shuffle=True, random_state=0))
search = GridSearchCV(NormalOnly(pipeline), nested, scoring=get_anomaly_scorer("anomaly_auc"), cv=splits).fit(
    at_hand, y
)
best = search.best_estimator_
print(f"trained on {best.n_samples_fit_} normal clips")
print(f"chose {describe(best.estimator_)}; {future_auc(best)}")

# %%
# On the slide rails of MIMII both searches choose the same detector. Only the training clips differ: the
# wrong search trains on ten anomalies, so its detector finds similar anomalies normal.
#
# The score of a search, ``best_score_``, is too good, because it is the best of twelve scores on ten
# anomalies. Judge the detector on other clips.
print(f"best_score_ {search.best_score_:.2f}")

# %%
# Search without any anomaly
# --------------------------
#
# Two scorers need no anomaly. ``pseudo_anomaly_scorer`` makes anomalies from the features of normal clips.
# ``before`` names the step that gets the pseudo-anomalies, here the first step after the embedding.
# ``inlier_variance_scorer`` prefers detectors whose scores of normal clips vary little. Both scorers see
# normal clips only.
label_free = {
    "pseudo-anomalies, extrapolated": pseudo_anomaly_scorer("extrapolate", before="scale"),
    "pseudo-anomalies, resampled": pseudo_anomaly_scorer("resample", before="scale"),
    "little spread": inlier_variance_scorer(),
}
blind = GridSearchCV(pipeline, candidates, scoring=label_free, refit=False, cv=splits).fit(train)
auc = [
    anomaly_auc_score(y_future, clone(pipeline).set_params(**settings).fit(train).score_samples(future))
    for settings in blind.cv_results_["params"]
]

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, name in zip(axes, label_free):
    value = blind.cv_results_[f"mean_test_{name}"]
    ax.plot(value, auc, "o", color="#0072B2")
    ax.plot(value[np.argmax(value)], auc[np.argmax(value)], "o", color="#D55E00", label="its choice")
    ax.set(title=f"{name}\nrank correlation {spearmanr(value, auc)[0]:.2f}", xlabel="label-free score")
    ax.legend()
axes[0].set_ylabel("AUC on the future")

# %%
# Each point is a candidate. The vertical axis is its AUC on the future, which a user without anomalies cannot
# know. On the slide rails of MIMII two of the three scorers choose the worst candidate. On other data the
# scorers do better. The table gives the rank correlation with the true AUC over 16 data sets, with 28
# candidates on embeddings:
#
# ============================  ======  ==================
# scorer                        mean    range
# ============================  ======  ==================
# extrapolated anomalies        0.35    -0.58 to 0.78
# resampled anomalies           0.32    -0.84 to 0.83
# little spread                 0.05
# ============================  ======  ==================
#
# The scorers help to rank settings if there is nothing else. A few real anomalies are worth more.

# %%
# Mistake 2: set a threshold from training clips
# ----------------------------------------------
#
# From here on the detector is the pipeline as it was defined: the nearest of the standardised embeddings. The
# choices of the searches are not used. The threshold shall raise a false alarm on one normal clip in ten. A
# common way is a percentile of the training scores. But a training clip is nearer to itself than any other
# clip can be.
detector = pipeline.fit(train)
in_sample = QuantileThreshold(0.1).fit(detector.score_samples(train))
flagged = in_sample.predict(detector.score_samples(future)) == -1
print(f"threshold {in_sample.threshold_:g}: {np.mean(flagged[y_future == 1]):.0%} false alarms, not 10 %")

# %%
# Set a threshold from held-out clips
# -----------------------------------
#
# ``ThresholdedDetector`` takes any detector. With ``cv=4`` each normal clip is scored by a model that was
# trained without the clip's fold, and these models are kept. Each model compares a new clip with the clips
# of its own fold. ``ConformalThreshold`` sets the threshold where a share ``alpha`` of the normal clips is
# expected to fall below.
detector = ThresholdedDetector(pipeline, ConformalThreshold(0.1), cv=4, random_state=0).fit(train)


def report(name, detector):
    """Print promised and found rates on the clips of the future."""
    flagged = detector.predict(future) == -1
    promised = "" if detector.promise_ is None else f"{detector.false_alarm_rate_:4.0%} {detector.promise_}"
    alarms, found = (np.mean(flagged[y_future == label]) for label in (1, -1))
    print(f"{name:28} promised {promised:26} false alarms {alarms:4.0%}, detected {found:4.0%}")


report("conformal, 4 folds", detector)

# %%
# The promise is "estimated", because a proof exists only for a larger rate:
print(f"at most {detector.false_alarm_bound_:.0%} on average. {detector.promise_reason_}")

# %%
# A fraction gives a guarantee: one part of the clips trains, the other part calibrates. With few clips,
# calibration clips are costly.
half = ThresholdedDetector(pipeline, ConformalThreshold(0.1), cv=0.5, random_state=0).fit(train)
report("conformal, half", half)

# %%
# Change the threshold without training, by another selector or by a number. If the clips are too few for a
# promise, the error gives the number that is needed.
lax = detector.set_threshold(ConformalThreshold(0.3)).threshold_
report("conformal, alpha=0.3", detector)
report("by hand", detector.set_threshold(1.2 * lax))
try:
    detector.set_threshold(ConformalThreshold(0.01))
except ValueError as error:
    print(error)

# %%
# With anomalies at hand, a selector can use them. This selector takes the point of the receiver operating
# characteristic that is nearest to no false alarm and all anomalies found. Its rate was *observed* on these
# clips and is no promise.
with_labels = ThresholdedDetector(pipeline, ROCThreshold("closest"), cv=4, random_state=0).fit(at_hand, y)
report("closest to (0, 1)", with_labels)

# %%
# The figure shows the calibration scores, the future scores, and the threshold. The intervals show that 16
# normal and 10 anomalous clips tell little.
detector.set_threshold(ConformalThreshold(0.1))
ThresholdDisplay.from_estimator(detector, future, y_future)

# %%
# The next figure shows all thresholds on the curve of the detector:
others = {
    "in-sample quantile": in_sample,
    "conformal, alpha=0.3": lax,
    "closest, by ten anomalies": with_labels.selector_,
}
ROCDisplay.from_estimator(detector, future, y_future, thresholds=others)

# %%
# ``p_values`` say how rare a score is among normal clips, for any threshold. The smallest possible value is 1
# / (n + 1). If the p-values are right, their curve for normal clips follows the diagonal.
print("p-values of three anomalous clips:", detector.p_values(np.array(future)[y_future == -1][:3]).round(2))
PValueCalibrationDisplay.from_estimator(detector, future, y_future)

# %%
# Compare the promises on many draws
# ----------------------------------
#
# Sixteen normal clips cannot show whether a promise was kept. One threshold is one draw: its rate varies
# around the promised rate. So the figure shows many draws of 24 training clips, each with its thresholds, on embeddings
# that are computed once. There are 40 draws on MIMII.
X = pipeline[:3].fit_transform(data.paths)[data.target == 1]
heads = make_pipeline(StandardScaler(), NearestNeighborsDetector())
rates = {"in-sample quantile": [], "quantile, 4 folds": [], "conformal, 4 folds": [], "conformal, half": []}
for seed in range(n_draws):
    order = np.random.default_rng(seed).permutation(len(X))
    chosen, left = X[order[:24]], X[order[24:]]
    fitted = heads.fit(chosen)
    in_sample = QuantileThreshold(0.1).fit(fitted.score_samples(chosen))
    rates["in-sample quantile"].append(np.mean(in_sample.predict(fitted.score_samples(left)) == -1))
    for name, selector, cv in (
        ("quantile, 4 folds", QuantileThreshold(0.1), 4),
        ("conformal, 4 folds", ConformalThreshold(0.1), 4),
        ("conformal, half", ConformalThreshold(0.1), 0.5),
    ):
        found = ThresholdedDetector(heads, selector, cv=cv, random_state=seed).fit(chosen).predict(left)
        rates[name].append(np.mean(found == -1))

figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
for place, values in enumerate(rates.values()):
    low, mean, high = np.quantile(values, 0.05), np.mean(values), np.quantile(values, 0.95)
    ax.plot([low, high], [place] * 2, color="#0072B2", label="" if place else "nine draws in ten")
    ax.plot(mean, place, "D", color="#D55E00", label="" if place else "mean of all")
ax.axvline(0.1, color="black", linestyle=":", label="asked for")
ax.set_yticks(range(4), list(rates))
ax.set(xlabel="false-alarm rate on new normal clips", xlim=(-0.02, 1.02), ylim=(3.5, -0.5))
ax.legend(loc="center right")
for name, values in rates.items():
    print(f"{name:20} mean {np.mean(values):.1%}")

# %%
# Scores of training clips are useless for a threshold. From folds, the conformal threshold raises about the
# promised rate of false alarms. On half of the clips the threshold promises 1 / 13, and its rate varies more,
# because twelve clips are few.
#
# Summary: wrap the pipeline in ``NormalOnly``, split with ``NormalOnlySplit``, and score with the anomaly as
# the positive class. Set the threshold afterwards with ``ThresholdedDetector``. Judge the result on clips
# that took part in no choice.
plt.show()
folder.cleanup()
# sphinx_gallery_thumbnail_number = 2
