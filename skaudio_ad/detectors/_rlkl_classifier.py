"""`RLKLClassifier`: two classes told apart by reconstruction loss and Kullback-Leibler divergence."""

from functools import partial
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_number, check_option, check_sizes
from .._doc_links import DocLinkMixin
from .._typing import FloatArray, Labels, RandomState
from ..training import ModuleStateMixin, TrainingRows, inference, resolve_device, train_estimator
from ._labelled_clips import check_class_weight, check_sample_weight, refuse_missing, standardisation

# Number of rows in a block, because the grid of a picture of the decision regions has a million rows.
_BLOCK = 4096


class RLKLClassifier(DocLinkMixin, CallbackSupportMixin, ModuleStateMixin, ClassifierMixin, BaseEstimator):
    """Tell two classes apart with a dense network on few features, such as a VAE's (RL, KL).

    RL is the reconstruction loss of a clip under a variational autoencoder, KL the Kullback-Leibler divergence of
    its posterior from the prior. ``VAEDetector.transform`` returns both. Other features with one row for every clip are
    possible too.

    Unlike a detector, the classifier needs clips of both classes to train on. With the labels of this package, 1 for
    normal and -1 for anomalous clips, ``classes_`` is ``[-1, 1]``. A higher `decision_function` is then more normal,
    as in the detectors.

    Parameters
    ----------
    hidden_sizes : tuple of int, default=(100, 100)
        Widths of the hidden layers. The default values of `hidden_sizes`, `max_epochs`, `learning_rate` and
        `weight_decay` are those of the published dog-bark detector. With ``()``, no hidden layer, the default learning
        rate is too low for 1000 steps.

    activation : {"relu", "identity"}, default="relu"
        "identity" makes the whole network linear. Its decision boundary is then a straight line for any layers.

    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, multiplied by `sample_weight`. A dict maps labels to weights. "balanced"
        weights are inversely proportional to the frequency of the class. If one clip in ten is a bark, a classifier
        that never predicts "bark" is right nine times in ten. "balanced" prevents such a classifier.

    max_epochs : int, default=1000
        Number of passes over the training rows. 1000 passes over a few hundred rows take about a second.

    batch_size : int or None, default=None
        Number of rows in a batch. The published system names no size. None, our choice, makes one batch of all rows.
        For a few hundred rows, one batch takes half the time of batches of 64 and the decisions are about as good. A
        sample weight of 2 is then exactly equivalent to the same row given twice.

    learning_rate : float, default=1e-3
        Learning rate of Adam.

    weight_decay : float, default=1e-5
        Weight decay of Adam.

    device : str, default="auto"
        "auto" (a GPU if the machine has one), "cpu", "cuda", ...

    deterministic : bool, default=False
        Whether the training uses only the deterministic algorithms of torch, so that a fit repeats bit for bit on a GPU
        too.

    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights and the order of the batches.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two sorted labels.

    module_ : torch.nn.Module
        The trained network, in float64. The network maps standardised features to logits.

    mean_, scale_ : ndarray of shape (n_features,), float64
        Mean and standard deviation of the features over the training rows, weighted by `sample_weight`. They
        standardise the features, because KL is about 1000 and RL about 0.01. A feature that does not vary in the
        training rows has an infinite scale, and so no influence.

    loss_curve_ : list of float
        Weighted mean of the binary cross-entropy of every epoch.

    n_iter_ : int
        Number of epochs.

    best_epoch_ : int
        Epoch of the lowest loss, counted from 0. The weights of this epoch were kept.

    stopped_by_ : {"max_epochs", "callback"}
        Reason for the end of the training.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of the features, only if X has feature names that are all strings.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same boundary as ``activation="identity"``, fitted in a millisecond.

    Notes
    -----
    With ``activation="identity"``, the network is a logistic regression that is trained by another method.
    ``make_pipeline(StandardScaler(), LogisticRegression(C=np.inf))`` gives the same decisions. The probabilities agree
    to 0.001, unless a straight line separates the classes without error. The weight decay is too weak to matter.
    scikit-learn's default, ``C=1``, regularises more and changes up to one decision in a hundred.

    "relu" helps if no straight line separates the classes: if anomalies lie on both sides of the normal clips, or
    scatter more widely around them. If a line is the best boundary, "relu" overfits.

    A row of NaN stands for a clip that could not be read. The classifier has no label for such a row, so `fit` and
    `predict` both raise an error that names the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import RLKLClassifier
    >>> rng = np.random.default_rng(0)
    >>> normal = rng.normal([0.02, 3000], [0.002, 200], size=(50, 2))  # columns RL and KL
    >>> anomalous = rng.normal([0.03, 4000], [0.002, 200], size=(50, 2))
    >>> X, y = np.concatenate([normal, anomalous]), np.repeat([1, -1], 50)
    >>> classifier = RLKLClassifier(max_epochs=100, random_state=0).fit(X, y)
    >>> classifier.predict([[0.021, 3100], [0.031, 4100]]).tolist()
    [1, -1]
    """

    classes_: npt.NDArray[Any]
    mean_: FloatArray
    scale_: FloatArray
    loss_curve_: list[float]
    n_iter_: int
    best_epoch_: int
    stopped_by_: str

    def __init__(
        self,
        *,
        hidden_sizes: tuple[int, ...] = (100, 100),
        activation: Literal["relu", "identity"] = "relu",
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        max_epochs: int = 1000,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-5,
        device: str = "auto",
        deterministic: bool = False,
        random_state: RandomState = None,
    ):
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.deterministic = deterministic
        self.random_state = random_state

    @with_callbacks
    def fit(self, X: npt.ArrayLike, y: Labels, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train on rows of both classes.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : array-like of shape (n_clips,)
            Exactly two labels, numbers or strings.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of every row in the loss and in the standardisation. A row of weight 0 is left out.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is not finite, y does not have two classes of positive weight, or the
            training diverges.
        """
        self._check_parameters()
        device = resolve_device(self.device)
        # The callbacks get X as the user passed it, because scoring an array after a fit with feature names warns.
        rows: Any
        labels: Any
        rows, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self._refuse_missing(rows)
        weights: Any = check_sample_weight(sample_weight, len(rows))
        weighted = weights > 0
        self.classes_ = _two_classes(labels, weighted)
        train_estimator(
            self,
            X,
            labels,
            device=device,
            prepare=partial(self._prepare, rows[weighted], labels[weighted], weights[weighted], device),
            loss=_weighted_cross_entropy,
            attributes=_fitted_attributes,
        )
        return self

    def _prepare(self, X, y, sample_weight, device, seed):
        """Standardise the features and return the rows to train on."""
        import torch

        self._architecture = {
            "n_features": self.n_features_in_,
            "hidden_sizes": tuple(int(size) for size in self.hidden_sizes),
            "activation": self.activation,
        }
        self.mean_, self.scale_ = standardisation(X, sample_weight)
        data = self._training_data(X, y, sample_weight)
        batch_size = len(data) if self.batch_size is None else self.batch_size
        return TrainingRows(torch.from_numpy(data).to(device), batch_size)

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Compute the logit of the second class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips,), float64
            A positive logit means ``classes_[1]``.

        Raises
        ------
        ValueError
            If X is not finite, or does not have the features of `fit`.
        """
        import torch

        check_is_fitted(self)
        checked: Any = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        self._refuse_missing(checked)
        device = resolve_device(self.device)
        module = self.module_.to(device)
        rows = torch.from_numpy((checked - self.mean_) / self.scale_)
        with inference():
            logits = [module(part.to(device)).cpu() for part in rows.split(_BLOCK)]
        return torch.cat(logits).numpy()

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predict the more probable label of every row.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips,)
            Values of ``classes_``.
        """
        second = self.decision_function(X) > 0
        return self.classes_[second.astype(int)]

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Compute the probability of both classes.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            The columns are in the order of ``classes_``.
        """
        logits = self.decision_function(X)
        return expit(np.column_stack([-logits, logits]))

    def predict_log_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Compute the logarithm of the probability of both classes.

        The logarithm is finite even if the probability rounds to 0.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            The columns are in the order of ``classes_``.
        """
        logits = self.decision_function(X)
        return log_expit(np.column_stack([-logits, logits]))

    def _check_parameters(self):
        check_sizes(self.hidden_sizes, "hidden_sizes")
        check_option(self.activation, "activation", ("relu", "identity"))
        check_class_weight(self.class_weight)
        check_number(self.batch_size, "batch_size", low=1, integer=True, none=True)
        # The training checks these parameters again. The checks here come before the callbacks begin.
        check_number(self.max_epochs, "max_epochs", low=1, integer=True)
        check_number(self.learning_rate, "learning_rate", low=0, closed="neither")
        check_number(self.weight_decay, "weight_decay", low=0)

    def _refuse_missing(self, X):
        missing = np.flatnonzero(np.isnan(X).any(axis=1))
        refuse_missing(missing, len(X), type(self).__name__, "X[~np.isnan(X).any(axis=1)]")

    def _make_module(self):
        from ..networks import DenseClassifier

        # float64 costs almost no time here. The probability of a row then does not depend on the other rows.
        return DenseClassifier(**self._architecture).double()

    def _training_data(self, X, y, sample_weight):
        """Join standardised features, the target 0 or 1, and the weight: one row for every clip."""
        target = (y == self.classes_[1]).astype(int)
        of_class = compute_class_weight(
            self.class_weight, classes=self.classes_, y=y, sample_weight=sample_weight
        )
        weight = sample_weight * of_class[target]
        # With a mean weight of 1, the mean over a batch is the weighted mean, and steps keep their unweighted length.
        return np.column_stack([(X - self.mean_) / self.scale_, target, weight / weight.mean()])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _weighted_cross_entropy(module, batch, generator=None):
    import torch

    features, target, weight = batch[:, :-2], batch[:, -2], batch[:, -1]
    return torch.nn.functional.binary_cross_entropy_with_logits(module(features), target, weight=weight)


def _fitted_attributes(module, history):
    """Fitted attributes after the training or after one of the epochs."""
    return {
        "module_": module,
        "loss_curve_": list(history.loss_curve),
        "n_iter_": len(history.loss_curve),
        "best_epoch_": history.best_epoch,
    }


def _two_classes(y, weighted):
    """Sorted labels of the rows with a positive weight, which must be two."""
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind != "binary":
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}: y has {len(np.unique(y))} "
            "classes. Give it two labels, such as y == 'dog'."
        )
    classes = np.unique(y[weighted])
    if len(classes) < 2:
        raise ValueError(
            f"y must have two classes of positive weight, got one class, {classes[0]!r}. Where only normal clips "
            "are known, score them with a detector."
        )
    return classes
