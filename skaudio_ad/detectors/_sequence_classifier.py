"""`SequenceClassifier`: classes of labelled clips from embeddings, or from sequences of embeddings."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number, check_option, users_level
from .._doc_links import DocLinkMixin
from .._input_checks import check_features, number_groups
from .._lazy import is_missing, take
from .._typing import Clips, FloatArray, IntArray, RandomState
from ..training import (
    ModuleStateMixin,
    Patience,
    Prechelt,
    TrainingRows,
    inference,
    make_stopping,
    resolve_device,
    train_estimator,
)
from ._clip_rows import BLOCK, check_kind, frames_of, row_batches
from ._frame_rows import GrowingRows
from ._labelled_clips import (
    check_class_weight,
    check_sample_weight,
    encode_labels,
    loss_weights,
    refuse_missing,
    split_labelled,
    standardisation,
)
from ._padded_clips import LabelledSequences, Sequences, batches_of_like_lengths

if TYPE_CHECKING:
    from ..networks import NetworkDescription


class SequenceClassifier(
    DocLinkMixin, CallbackSupportMixin, ModuleStateMixin, ClassifierMixin, BaseEstimator
):
    """Classify labelled clips by their embeddings, or by their sequences of embeddings.

    The heads are those that are usual on top of a frozen pretrained network: a linear layer on one embedding a clip, a
    linear layer on every frame of a sequence, or a recurrent network on the sequence and a linear layer on every state.
    Predictions for the frames are pooled over time. Unlike a detector, the classifier needs the class of every training
    clip. Clips may have one class each, or several classes at once.

    Parameters
    ----------
    head : {"linear", "gru", "lstm"}, default="linear"
        "linear" is a linear layer on the embedding, or on every frame. "gru" and "lstm" are recurrent layers from the
        first to the last frame, and a linear layer on every state.

    pooling : {"mean", "max", "attention", "last"}, default="mean"
        Pooling of the predictions for the frames over time. "mean" is the mean of the probabilities, and suits sounds
        that last. "max" is the largest logit of every class over time, and suits short sounds. "attention" is a mean of
        the probabilities with learnt weights of the frames, a weight for every class [1]_. "last" is the prediction
        after the last frame, and needs a recurrent head. One embedding a clip needs no pooling.

    hidden_size : int, default=64
        Length of the state of every recurrent layer. The value is our choice: with a few hundred clips, larger
        layers overfit.

    n_layers : int, default=1
        Number of stacked recurrent layers.

    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, multiplied by `sample_weight`. A dict maps labels to weights. "balanced"
        weights are inversely proportional to the frequency of the class among the training clips, as in scikit-learn.
        If clips have several labels, a dict maps numbers of classes to weights, and "balanced" weighs the clips with
        and without a class equally.

    max_epochs : int, default=100
        Maximum number of passes over the training clips.

    batch_size : int or None, default=32
        Number of clips in a batch. None makes one batch of all clips.

    learning_rate : float, default=1e-3
        Learning rate of Adam. The default is the default of Adam.

    weight_decay : float, default=1e-4
        Weight decay of Adam, as large as the default `alpha` of scikit-learn's multi-layer perceptron.

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="patience"
        When to stop before `max_epochs`: see :class:`~skaudio_ad.training.Patience` and
        :class:`~skaudio_ad.training.Prechelt`. The loss of the held-out clips is watched. Without held-out clips, the
        loss of the training clips is watched.

    n_iter_no_change : int, default=10
        Number of epochs without improvement that "patience" waits.

    tol : float, default=1e-4
        Minimum improvement that "patience" counts, as a fraction of the lowest loss.

    validation_fraction : float, default=0.1
        Fraction of the clips to hold out of the training, in [0, 1), at least one clip. If clips have one label each,
        every class is held out in its proportion. The weights with the lowest loss on the held-out clips are kept. A
        clip that is the only one of its class is never held out. 0 holds out none.

    device : str, default="auto"
        "auto" (a GPU if the machine has one), "cpu", "cuda", ...

    deterministic : bool, default=False
        Whether the training uses only the deterministic algorithms of torch, so that a fit repeats bit for bit on a GPU
        too.

    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the held-out clips and the order of the batches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sorted labels. If clips have several labels, the numbers of the columns of y.

    module_ : torch.nn.Module
        The trained network, :class:`~skaudio_ad.networks.PooledClassifier`, in float64. The network takes standardised
        clips.

    mean_, scale_ : ndarray of shape (n_features,), float64
        Mean and standard deviation of the features over all frames of the training clips, weighted by `sample_weight`.
        A feature that does not vary has an infinite scale, and so no influence.

    loss_curve_, validation_loss_curve_ : list of float
        Weighted mean of the cross-entropy of every epoch, of the training and of the held-out clips.

    held_out_indices_ : ndarray of int
        Positions of the held-out clips in X.

    n_iter_ : int
        Number of epochs.

    best_epoch_ : int
        Epoch of the lowest watched loss, counted from 0. The weights of this epoch were kept.

    stopped_by_ : {"max_epochs", "early_stopping", "callback"}
        Reason for the end of the training.

    n_features_in_ : int
        Number of features of an embedding.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of the features, only if X is a table whose names are all strings.

    See Also
    --------
    RLKLClassifier : Dense network for two classes on few features.
    sklearn.linear_model.LogisticRegression : The linear head on one embedding a clip, without batches and epochs.

    Notes
    -----
    "mean" pools probabilities, and not logits. With a linear head, the mean of the logits would be the logit of the
    mean embedding, so that classifying the frames would change nothing. "max" pools logits, because probabilities
    hide short sounds: before and after the sound, another class has a probability near 1 too. If clips have one class
    each, the softmax follows the maximum. The means with attention are divided by their sum, because their weights
    depend on the class.

    Clips of different lengths are padded, and padding has no weight. The prediction for a clip does not depend on the
    other clips of a batch: the network computes in float64.

    A row of NaN stands for a clip that could not be read. The classifier has no label for such a row, so `fit` and
    `predict` both raise an error that names the rows. A class that `fit` has not seen is never predicted, and `score`
    counts clips of such a class as errors.

    References
    ----------
    .. [1] Q. Kong, Y. Xu, W. Wang and M. D. Plumbley, "Audio Set classification with attention model: a probabilistic
       perspective", ICASSP 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import SequenceClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(40, 8, 12)), np.repeat(["dog", "rain"], 20)  # 8 features, 12 frames
    >>> X[:20, 0, 5] += 6  # a dog barks in one frame of twelve
    >>> classifier = SequenceClassifier(pooling="max", learning_rate=0.01, random_state=0).fit(X, y)
    >>> classifier.predict(X[[0, 30]]).tolist()
    ['dog', 'rain']
    >>> classifier.predict_proba_frames(X).shape  # clips, classes, frames
    (40, 2, 12)
    """

    classes_: npt.NDArray[Any]
    mean_: FloatArray
    scale_: FloatArray
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    held_out_indices_: IntArray
    n_iter_: int
    best_epoch_: int
    stopped_by_: str
    n_features_in_: int

    def __init__(
        self,
        head: Literal["linear", "gru", "lstm"] = "linear",
        *,
        pooling: Literal["mean", "max", "attention", "last"] = "mean",
        hidden_size: int = 64,
        n_layers: int = 1,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        max_epochs: int = 100,
        batch_size: int | None = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        early_stopping: Literal["patience", "prechelt"] | Patience | Prechelt | None = "patience",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        validation_fraction: float = 0.1,
        device: str = "auto",
        deterministic: bool = False,
        random_state: RandomState = None,
    ):
        self.head = head
        self.pooling = pooling
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.device = device
        self.deterministic = deterministic
        self.random_state = random_state

    @with_callbacks
    def fit(
        self,
        X: Clips,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> Self:
        """Train on labelled clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.
        y : array-like of shape (n_clips,) or (n_clips, n_classes)
            One label a clip, numbers or strings, of two classes or more. Or 0 and 1 for every clip and class, if
            a clip may have several classes, or none.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of every clip in the loss and in the standardisation. A clip of weight 0 is left out.
        groups : array-like of shape (n_clips,), default=None
            Recording, machine or patient of every clip. Whole groups are held out, and `validation_fraction` is the
            fraction of the groups. A group is never held out if a class would have no clip to train on.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is not finite, y lacks a label or has one class, no clip can be held out
            without losing a class, or the training diverges.

        Warns
        -----
        UserWarning
            If clips have several labels and all clips, or no clips, have one of the classes.
        """
        _check_parameters(self)
        stopping = make_stopping(self.early_stopping, n_iter_no_change=self.n_iter_no_change, tol=self.tol)
        device, name = resolve_device(self.device), type(self).__name__
        clips = check_features(self, X, reset=True)
        labels, multi_label = encode_labels(y, len(clips), name)
        weights = check_sample_weight(sample_weight, len(clips))
        numbers = number_groups(groups, len(clips))
        kept = np.flatnonzero(weights)
        self.classes_, targets = (_columns if multi_label else _classes)(labels[kept], name)
        self._takes_frames = getattr(clips, "ndim", 3) == 3
        rows, lengths = _training_rows(clips, kept, self.n_features_in_, name)
        numbers = None if numbers is None else np.unique(numbers[kept], return_inverse=True)[1]
        train_estimator(
            self,
            X,
            y,
            device=device,
            prepare=partial(self._prepare, rows, lengths, targets, weights[kept], numbers, kept, device),
            loss=_weighted_cross_entropy,
            attributes=_fitted_attributes,
            stopping=stopping,
        )
        return self

    def _prepare(self, rows, lengths, targets, weights, groups, kept, device, seed):
        """Hold out clips, standardise the features, and return the clips to train on."""
        self._architecture = {
            "n_features": self.n_features_in_,
            "n_classes": len(self.classes_),
            "head": self.head,
            "pooling": self.pooling,
            "hidden_size": int(self.hidden_size),
            "n_layers": int(self.n_layers),
            "multi_label": targets.ndim == 2,
        }
        train, held_out = split_labelled(targets, self.validation_fraction, seed, groups)
        self.held_out_indices_ = kept[held_out]
        of_frames = np.zeros(len(kept))
        of_frames[train] = weights[train]
        of_frames = np.repeat(of_frames, lengths)
        is_trained = of_frames > 0
        self.mean_, self.scale_ = standardisation(
            rows if is_trained.all() else rows[is_trained], of_frames[is_trained]
        )
        # The loop asks of its rows only their number, a device, some of them, and the number of values in one of them.
        clips: Any = LabelledSequences(
            rows,
            lengths,
            self.mean_,
            self.scale_,
            device,
            targets=targets,
            weights=loss_weights(self.class_weight, targets, weights, train, self.classes_),
        )
        batch_size = len(train) if self.batch_size is None else self.batch_size
        return TrainingRows(clips, batch_size, train, held_out)

    def decision_function(self, X: Clips) -> FloatArray:
        """Compute a score of every class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_classes), float64
            Two classes: the logit of the second class, (n_clips,). More classes: the logarithms of their probabilities.
            Several labels a clip: the logit of every class.

        Raises
        ------
        ValueError
            If X is not finite, or does not have the features of `fit`.
        """
        outputs = self._outputs(X)
        if len(self.classes_) == 2 and not self._architecture["multi_label"]:
            return outputs[:, 1] - outputs[:, 0]
        return outputs

    def predict(self, X: Clips) -> npt.NDArray[Any]:
        """Predict the most probable class of every clip, or all classes that are more probable than not.

        Parameters
        ----------
        X : array-like
            Clips, as in :meth:`decision_function`.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_classes)
            Values of ``classes_``. Several labels a clip: 0 and 1.
        """
        outputs = self._outputs(X)
        if self._architecture["multi_label"]:
            return (outputs > 0).astype(int)
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X: Clips) -> FloatArray:
        """Compute the probability of every class.

        Parameters
        ----------
        X : array-like
            Clips, as in :meth:`decision_function`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes), float64
            The columns are in the order of ``classes_``. The sum of a row is 1 only if clips have one label each.
        """
        outputs = self._outputs(X)
        return expit(outputs) if self._architecture["multi_label"] else np.exp(outputs)

    def predict_log_proba(self, X: Clips) -> FloatArray:
        """Compute the logarithm of the probability of every class.

        The logarithm is finite even if the probability rounds to 0.

        Parameters
        ----------
        X : array-like
            Clips, as in :meth:`decision_function`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes), float64
            The columns are in the order of ``classes_``.
        """
        outputs = self._outputs(X)
        return log_expit(outputs) if self._architecture["multi_label"] else outputs

    def predict_frames(self, X: Clips) -> npt.NDArray[Any] | list[npt.NDArray[Any]]:
        """Predict the class of every frame, or all classes that are more probable than not.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips, n_frames) or (n_clips, n_classes, n_frames)
            Values of ``classes_``. Several labels a clip: 0 and 1, with an axis for the classes. A list of arrays if
            the clips differ in length.
        """
        proba = self.predict_proba_frames(X)
        if self._architecture["multi_label"]:
            found = [(frames > 0.5).astype(int) for frames in proba]
        else:
            found = [self.classes_[frames.argmax(axis=0)] for frames in proba]
        return found if isinstance(proba, list) else np.stack(found)

    def predict_proba_frames(self, X: Clips) -> FloatArray | list[FloatArray]:
        """Compute the probability of every class in every frame, before pooling.

        A recurrent head has heard the clip up to the end of the frame.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features, n_frames)
            Or a list of (n_features, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips, n_classes, n_frames), float64
            A list of (n_classes, n_frames_i) if the clips differ in length.

        Raises
        ------
        ValueError
            If the classifier was fitted on one embedding a clip.
        """
        check_is_fitted(self)
        if not self._takes_frames:
            raise ValueError(
                f"{type(self).__name__} was fitted on one embedding a clip, (n_clips, n_features), so there are no "
                "frames: fit on sequences, (n_clips, n_features, n_frames)."
            )
        outputs = self._outputs(X, frames=True)
        proba = [expit(clip) if self._architecture["multi_label"] else np.exp(clip) for clip in outputs]
        return np.stack(proba) if len({clip.shape for clip in proba}) == 1 else proba

    def describe(self, n_frames: int = 1) -> NetworkDescription:
        """Count the parameters and the multiply-accumulates of the fitted network, layer by layer.

        Parameters
        ----------
        n_frames : int, default=1
            Number of frames of the clip.

        Returns
        -------
        NetworkDescription
            Printing the result shows a table.
        """
        import torch

        from ..networks import PooledClassifier, describe

        check_is_fitted(self)
        check_number(n_frames, "n_frames", low=1, integer=True)
        with torch.device("meta"):
            network = PooledClassifier(**self._architecture)
        return describe(network, n_frames, n_bins=self.n_features_in_, title=type(self).__name__)

    def _outputs(self, X, frames=False):
        """Compute the outputs of the network: (n_clips, n_classes), or a list of (n_classes, n_frames_i)."""
        check_is_fitted(self)
        name = type(self).__name__
        clips = check_features(self, X, reset=False)
        check_kind(name, clips, self._takes_frames)
        _refuse_missing_clips(clips, name)
        device = resolve_device(self.device)
        module = self.module_.to(device)
        found: list[Any] = []
        with inference():
            for rows, n_frames in row_batches(clips, self.n_features_in_):
                if np.isnan(rows).any():  # a clip of a lazy sequence, which is computed only here
                    raise _missing_in_batch(rows, n_frames, len(found), len(clips), name)
                lengths = np.array(n_frames)
                part = Sequences(rows, lengths, self.mean_, self.scale_, device)
                outputs: list[Any] = [None] * len(lengths)
                for positions in batches_of_like_lengths(lengths, BLOCK):
                    padded, n = part.padded(positions)
                    made = module.classify_frames(padded) if frames else module(padded, n)
                    for position, output in zip(positions, made.cpu().numpy()):
                        outputs[position] = output[:, : lengths[position]] if frames else output
                found += outputs
        return found if frames else np.stack(found)

    def _make_module(self):
        from ..networks import PooledClassifier

        # float64, because the probability of a clip then does not depend on the other clips.
        return PooledClassifier(**self._architecture).double()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.three_d_array = True
        return tags


def _check_parameters(estimator):
    check_option(estimator.head, "head", ("linear", "gru", "lstm"))
    check_option(estimator.pooling, "pooling", ("mean", "max", "attention", "last"))
    if estimator.pooling == "last" and estimator.head == "linear":
        raise ValueError(
            'pooling="last" needs a recurrent head, "gru" or "lstm", because a linear head would hear the last frame '
            'alone, got head="linear".'
        )
    check_number(estimator.hidden_size, "hidden_size", low=1, integer=True)
    check_number(estimator.n_layers, "n_layers", low=1, integer=True)
    check_class_weight(estimator.class_weight)
    check_number(estimator.batch_size, "batch_size", low=1, integer=True, none=True)
    # The training checks some parameters again. The checks here come before a lazy sequence computes its clips.
    check_number(estimator.max_epochs, "max_epochs", low=1, integer=True)
    check_number(estimator.learning_rate, "learning_rate", low=0, closed="neither")
    check_number(estimator.weight_decay, "weight_decay", low=0)
    check_number(estimator.validation_fraction, "validation_fraction", low=0, high=1, closed="left")
    check_option(estimator.deterministic, "deterministic", (True, False))


def _classes(labels, name):
    """Return the sorted classes, and the number of the class of every clip."""
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs two classes of positive weight or more, got one class, {classes[0]!r}. Where only normal "
            "clips are known, score them with a detector."
        )
    return classes, targets


def _columns(labels, name):
    """Return the numbers of the classes, and 0 or 1 for every clip and class."""
    n_with = labels.sum(axis=0)
    constant = np.flatnonzero((n_with == 0) | (n_with == len(labels)))
    if len(constant) == labels.shape[1]:
        raise ValueError(
            f"{name} needs clips with and without a class, but in every column of y all clips have the same value. "
            "Where only normal clips are known, score them with a detector."
        )
    if len(constant):
        warnings.warn(
            f"{name} cannot learn the classes {constant.tolist()}, because all training clips, or none, have them.",
            UserWarning,
            stacklevel=users_level(),
        )
    return np.arange(labels.shape[1]), labels


def _refuse_missing_clips(X, name):
    """Raise if clips are NaN that are already computed."""
    if getattr(X, "ndim", 3) == 2:
        missing = np.flatnonzero(np.isnan(X).any(axis=1))
        refuse_missing(missing, len(X), name, "X[~np.isnan(X).any(axis=1)]")
    elif isinstance(X, (np.ndarray, list)):
        missing = np.array([i for i, clip in enumerate(X) if is_missing(clip)], dtype=int)
        refuse_missing(missing, len(X), name, "[clip for clip in X if not np.isnan(clip).any()]")


def _missing_in_batch(rows, n_frames, first, n_clips, name):
    """Return the error about unreadable clips of a lazy sequence."""
    starts = np.cumsum(n_frames) - n_frames
    missing = first + np.flatnonzero(np.isnan(rows[starts, 0]))
    try:
        refuse_missing(missing, n_clips, name, 'AudioLoader(on_error="raise") names the files')
    except ValueError as error:
        return error


def _training_rows(X, kept, n_features, name):
    """Copy the frames of some clips into one array, and count the frames of every clip."""
    _refuse_missing_clips(X, name)
    clips = X if len(kept) == len(X) else take(X, kept)
    if getattr(clips, "ndim", 3) == 2:
        return clips, np.ones(len(clips), dtype=int)
    rows, lengths, missing = GrowingRows(), [], []
    for index, clip in enumerate(clips):
        frames = frames_of(clips, index, clip, n_features)
        rows.expect(len(clips) * len(frames))
        if is_missing(clip):
            missing.append(kept[index])
            continue
        rows.append(frames.astype(np.float32 if frames.dtype == np.float32 else np.float64, copy=False))
        lengths.append(len(frames))
    refuse_missing(
        np.array(missing, dtype=int), len(X), name, 'AudioLoader(on_error="raise") names the files'
    )
    return rows.finish(), np.array(lengths, dtype=int)


def _weighted_cross_entropy(module, batch, generator=None):
    import torch

    outputs = module(batch.clips, batch.lengths)
    if batch.targets.ndim == 1:
        losses = torch.nn.functional.nll_loss(outputs, batch.targets, reduction="none")
    else:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs, batch.targets.double(), reduction="none"
        )
    return (losses * batch.weights).mean()


def _fitted_attributes(module, history):
    """Fitted attributes after the training or after one of the epochs."""
    return {
        "module_": module,
        "loss_curve_": list(history.loss_curve),
        "validation_loss_curve_": list(history.validation_loss_curve),
        "n_iter_": len(history.loss_curve),
        "best_epoch_": history.best_epoch,
    }
