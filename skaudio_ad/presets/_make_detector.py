"""`make_detector`: from recordings to decisions on a pretrained backbone, in one call."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from .._checks import check_number, check_option
from .._typing import RandomState
from ..audio import AudioLoader, LevelNormalizer
from ..detectors import FleetDetector, MahalanobisDetector, NearestNeighborsDetector
from ..embeddings import (
    Backbone,
    BackboneEmbedding,
    BEATsEmbedding,
    CEDEmbedding,
    DashengEmbedding,
    EATEmbedding,
    ECHOEmbedding,
    FISHEREmbedding,
    MobileNetEmbedding,
    PaSSTEmbedding,
    available_backbones,
    get_backbone,
    get_family,
)
from ..embeddings._backbone_table import relative_time
from ..features import ShrinkageWhitener
from ..thresholds import ConformalThreshold, ThresholdedDetector
from ._detector_pipeline import DetectorPipeline

#: Description of every head of :func:`make_detector`, by name.
HEADS: dict[str, str] = {
    "nearest": "distance to the nearest normal clip, after whitening (ShrinkageWhitener, NearestNeighborsDetector)",
    "5-nearest": "mean distance to the five nearest normal clips, after whitening",
    "mahalanobis": "distance from the mean of the normal clips, by their covariance (MahalanobisDetector)",
    "one_class_svm": "one-class support vector machine of scikit-learn, after standardisation",
    "gaussian_mixture": "one Gaussian with a diagonal covariance, after standardisation (GaussianMixture)",
}
_EMBEDDINGS: dict[str, Any] = {
    "mobilenet": MobileNetEmbedding,
    "passt": PaSSTEmbedding,
    "beats": BEATsEmbedding,
    "eat": EATEmbedding,
    "echo": ECHOEmbedding,
    "ced": CEDEmbedding,
    "dasheng": DashengEmbedding,
    "fisher": FISHEREmbedding,
}
# Maximum time of the backbone "auto", relative to "mn10". All MobileNets, and small transformers, are faster.
_MAX_AUTO_TIME = 10.0
# Best fixed outputs of a family, by the mean AUC of whitened nearest neighbours over MIMII, HLS-CMDS, ESC-10 and
# PhysioNet (benchmarks.pretraining.judge). "block15" alone is level. Other families have been tried with "clip" only.
_BEST_OUTPUT = {"mobilenet": ("block13", "block15")}


def embedding_class(backbone: Backbone) -> Any:
    """The class of embeddings of a family. It has the defaults of the family, such as the length of a window."""
    return _EMBEDDINGS.get(backbone.family, BackboneEmbedding)


def best_outputs(backbone: Backbone) -> tuple[str, ...]:
    """Names of the outputs that :func:`make_detector` takes of a backbone by default."""
    return _BEST_OUTPUT.get(backbone.family, ("clip",))


def make_detector(
    backbone: Any = "mini",
    *,
    head: Any = "nearest",
    false_alarms: float = 0.05,
    groups: str | None = None,
    machines: str | None = None,
    level: Literal["rms", "peak"] | None = "rms",
    window: float | None = None,
    duration: float | None = None,
    output: str | Sequence[str] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    memory: Any = None,
    n_jobs: int | None = None,
    random_state: RandomState = None,
    **embedding: Any,
) -> DetectorPipeline:
    """Build an unfitted detector of anomalous recordings on a pretrained backbone, with a calibrated threshold.

    Parameters
    ----------
    backbone : str, Backbone or transformer, default="mini"
        A name of :data:`BACKBONES`; "auto"; a :class:`Backbone`; or any transformer of waveforms, such as
        ``ModuleEmbedding(...)``. "mini" is part of the package and needs no download. "auto" is the first of
        :func:`available_backbones`, whose weights are on this machine, that takes at most ten times as long as "mn10"
        (``relative_time`` of :func:`list_backbones`). Slower ones, such as BEATs and PaSST, must be named. "auto" with
        `sample_rate` is the first of any sample rate, and without it the first of one rate.
        ``pipeline["embed"].variant`` tells which backbone was taken.

    head : str or estimator, default="nearest"
        Name of :data:`HEADS`, or any detector with ``fit`` and ``score_samples``.

        - "nearest": :class:`ShrinkageWhitener` and :class:`NearestNeighborsDetector` with one neighbour. Of the heads
          with the best mean rank over real recordings, this one keeps its rank where normal clips form several groups.
          ``python -m benchmarks.detection.heads`` compares all.
        - "5-nearest": the same with the mean distance to five neighbours. Takes seven clips or more.
        - "mahalanobis": :class:`MahalanobisDetector`, with the Ledoit-Wolf covariance. Takes five clips or more.
        - "one_class_svm": :class:`~sklearn.svm.OneClassSVM` on standardised features.
        - "gaussian_mixture": :class:`~sklearn.mixture.GaussianMixture` with one diagonal component on standardised
          features. Takes three clips or more.

    false_alarms : float, default=0.05
        False-alarm rate that the threshold aims at, in (0, 1), by :class:`ConformalThreshold`: the customary level of a
        test. The rate takes ``1 / false_alarms - 1`` clips, 19 for 0.05. With fewer clips the threshold is an estimate,
        and ``pipeline["detector"].promise_`` says so. With one or two clips there is no threshold.

    groups : str or None, default=None
        Where `fit` finds the machine, patient or session of a recording, so that the rate holds for new ones: "folder",
        or a regular expression for the name of the file (:class:`DetectorPipeline`). ``fit(X, groups=...)`` takes the
        groups themselves.

    machines : str or None, default=None
        Where the machine of a recording is found: "folder" or a regular expression, as for `groups`. Every machine then
        has a detector and a threshold of its own (:class:`FleetDetector`), and `groups` are groups within a machine.
        None makes one detector for all recordings.

    level : {"rms", "peak", None}, default="rms"
        Level that every recording is normalised to (:class:`LevelNormalizer`), so that the gain of the recorder does
        not matter. None keeps the loudness.

    window : float or None, default=None
        Length of the longest stretch that the backbone embeds at once, in seconds. None is the default of the
        embedding: 10 s.

    duration : float or None, default=None
        Duration of every recording, in seconds. None uses whole recordings.

    output : str, list of str or None, default=None
        Output or outputs of the backbone. None is the best fixed output of its family: "block13" and "block15" for a
        MobileNet, which are the means and the deviations over time of two intermediate maps, and "clip" for others.
        "frames" says when a recording sounds wrong.

    on_error : {"raise", "skip"}, default="raise"
        Whether a file that cannot be read raises an error or is skipped (:class:`AudioLoader`).

    memory : str, path-like or None, default=None
        Folder that keeps the embeddings of the clips.

    n_jobs : int or None, default=None
        Number of processes that embed.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of the Gaussian mixture.

    **embedding : dict
        Further parameters of the embedding, such as ``runtime="openvino"`` or ``weights=path``. A backbone of any rate,
        such as "echo_tiny", needs ``sample_rate``, in hertz, such as the lowest rate of the recordings.

    Returns
    -------
    DetectorPipeline
        Unfitted pipeline for a list of paths, or for waveforms at the sample rate of the backbone.

        ==========  ===================================================================================================
        step        estimator
        ==========  ===================================================================================================
        "load"      :class:`AudioLoader` at the sample rate of the backbone
        "level"     :class:`LevelNormalizer`, left out with ``level=None``
        "embed"     :class:`MobileNetEmbedding`, :class:`PaSSTEmbedding`, :class:`BackboneEmbedding` or the transformer
        "detector"  :class:`ThresholdedDetector` around the head. The head is a Pipeline of "whiten" or "scale" and
                    "head", so that a search can set ``detector__detector__head__n_neighbors``. With `machines`, a
                    :class:`FleetDetector` around it
        ==========  ===================================================================================================

    Raises
    ------
    ValueError, TypeError
        If the backbone, the head or a rate is unknown or out of range, or settings of an embedding are given although
        `backbone` is a transformer.

    Notes
    -----
    The backbone is frozen, so every clip is embedded once, and only the step "detector" is cross-validated: leave one
    out with up to 30 clips, 5 folds with more (``ThresholdedDetector(cv="auto")``).

    Examples
    --------
    >>> from skaudio_ad import make_detector
    >>> detector = make_detector(false_alarms=0.02)
    >>> list(detector.named_steps)
    ['load', 'level', 'embed', 'detector']
    >>> detector["embed"].variant, detector["embed"].output
    ('mini', ('block13', 'block15'))
    """
    check_number(false_alarms, "false_alarms", low=0, high=1, closed="neither")
    check_option(level, "level", ("rms", "peak", None))
    settings = {"window": window, "output": output, "memory": memory, "n_jobs": n_jobs}
    given = {name: value for name, value in settings.items() if value is not None} | embedding
    embed, sample_rate = _make_embedding(backbone, given)
    steps: list[tuple[str, Any]] = [("load", AudioLoader(sample_rate, duration=duration, on_error=on_error))]
    if level is not None:
        steps.append(("level", LevelNormalizer(level)))
    detector: Any = ThresholdedDetector(
        _make_head(head, random_state),
        ConformalThreshold(false_alarms, too_few="estimate"),
        cv="auto",
        random_state=random_state,
    )
    if machines is not None:
        detector = FleetDetector(detector)
    return DetectorPipeline(
        [*steps, ("embed", embed), ("detector", detector)], groups=groups, machines=machines
    )


def _make_embedding(backbone, given):
    """The embedding with the given parameters, and its sample rate in hertz."""
    if not isinstance(backbone, (str, Backbone)):
        if isinstance(backbone, type) or not hasattr(backbone, "transform"):
            raise TypeError(
                f"backbone must be a name, 'auto', a Backbone or a transformer of waveforms, got {backbone!r}."
            )
        if given:
            raise ValueError(
                f"{', '.join(given)} cannot be set here, because backbone is an estimator, {type(backbone).__name__}: "
                "set the parameters of the transformer itself."
            )
        try:
            rate = getattr(backbone, "sample_rate", None) or getattr(backbone, "_rate", lambda: None)()
        except NotFittedError:
            raise ValueError(
                f"backbone {backbone!r} takes any sample rate: set its sample_rate, in hertz, to the rate of the "
                "recordings."
            ) from None
        if rate is None:
            raise ValueError(
                f"backbone {backbone!r} has no sample_rate, so the loader does not know the rate of its waveforms. "
                "Build a DetectorPipeline with an AudioLoader of that rate."
            )
        return backbone, rate
    if isinstance(backbone, str) and backbone == "auto":
        backbone = _best_here(given)
    known = get_backbone(backbone)
    outputs = best_outputs(known)
    given = {"output": outputs if len(outputs) > 1 else outputs[0], **given}
    variant = backbone if isinstance(backbone, Backbone) else known.name
    rate = given.get("sample_rate") or known.sample_rate
    if get_family(known.family).sample_rate is not None:
        if rate != known.sample_rate:
            raise ValueError(
                f"sample_rate must be {known.sample_rate} for the backbone {known.name!r}, got {rate!r}. Leave it out, "
                "or take a backbone of any rate, such as 'echo_tiny'."
            )
        given.pop("sample_rate", None)
    if rate is None:
        raise ValueError(
            f"backbone {known.name!r} takes any sample rate: set sample_rate, in hertz, to the rate of the recordings."
        )
    return embedding_class(known)(variant, **given), rate


def _best_here(given):
    """The name that the backbone "auto" stands for, with the given parameters of the embedding."""
    any_rate = given.get("sample_rate") is not None
    slow = []
    for name in available_backbones(path=given.get("weights") or None):
        if (get_backbone(name).sample_rate is None) != any_rate:
            continue
        time = relative_time(name)
        if time is not None and time <= _MAX_AUTO_TIME:
            return name
        slow.append(name)
    if slow:
        raise ValueError(
            f'backbone="auto" with sample_rate={given["sample_rate"]!r} takes a fast backbone of any sample rate. '
            f"{', '.join(map(repr, slow))} may be slow: name the backbone, such as backbone={slow[0]!r}."
        )
    raise ValueError(
        f'backbone="auto" with sample_rate={given["sample_rate"]!r} takes a backbone of any sample rate, and the '
        "weights of none are on this machine: `skaudio-ad weights list` names them. Or leave out sample_rate."
    )


def _make_head(head: Any, random_state: RandomState) -> BaseEstimator:
    """The detector on embeddings."""
    if not isinstance(head, str):
        if isinstance(head, type) or not hasattr(head, "score_samples"):
            raise TypeError(
                f"head must be one of {', '.join(map(repr, HEADS))}, or a detector with score_samples, got {head!r}."
            )
        return head
    check_option(head, "head", tuple(HEADS))
    heads: dict[str, Callable[[], list[tuple[str, Any]]]] = {
        "nearest": lambda: [("whiten", ShrinkageWhitener()), ("head", NearestNeighborsDetector())],
        "5-nearest": lambda: [("whiten", ShrinkageWhitener()), ("head", NearestNeighborsDetector(5))],
        "mahalanobis": lambda: [("scale", StandardScaler()), ("head", MahalanobisDetector())],
        "one_class_svm": lambda: [("scale", StandardScaler()), ("head", OneClassSVM())],
        "gaussian_mixture": lambda: [
            ("scale", StandardScaler()),
            ("head", GaussianMixture(covariance_type="diag", random_state=random_state)),
        ],
    }
    return Pipeline(heads[head]())
