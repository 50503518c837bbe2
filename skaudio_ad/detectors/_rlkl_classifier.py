"""`RLKLClassifier`: two classes told apart by reconstruction loss and Kullback-Leibler divergence."""

from functools import partial

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_number, check_option, check_sizes
from ..training import ModuleStateMixin, TrainingRows, inference, resolve_device, train_estimator

# Rows scored at a time: the grid behind a picture of the decision regions has a million.
_BLOCK = 4096


class RLKLClassifier(CallbackSupportMixin, ModuleStateMixin, ClassifierMixin, BaseEstimator):
    """Tell two classes apart by a dense network on few features, such as a VAE's (RL, KL).

    RL is the reconstruction loss of a clip under a variational autoencoder, KL the Kullback-Leibler divergence of
    its posterior from the prior: what ``VAEDetector.transform`` gives. Any other features, one row a clip, will do.

    Unlike a detector it needs clips of both classes to train on. With the labels of this package, 1 normal and
    -1 anomalous, ``classes_`` is ``[-1, 1]``: a higher `decision_function` is more normal, as everywhere.

    Parameters
    ----------
    hidden_sizes : tuple of int, default=(100, 100)
        Widths of the hidden layers. This, `max_epochs`, `learning_rate` and `weight_decay` are those of the published
        dog-bark detector. With ``()``, no hidden layer, the default learning rate is too low for 1000 steps.

    activation : {"relu", "identity"}, default="relu"
        "identity" makes the network linear throughout: whatever its layers, it draws a straight line.

    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, on top of `sample_weight`: as a dict of label to weight, or inversely
        proportional to how often it occurs. Where barks are one clip in ten, a classifier that never says "bark" is
        right nine times in ten; "balanced" lets it miss no class.

    max_epochs : int, default=1000
        Passes over the training rows. 1000 of a few hundred rows take about a second.

    batch_size : int or None, default=None
        Rows a step. The published system names no size. None, ours, takes all rows: for a few hundred of them that
        takes half the time of steps of 64 and decides about as well, and a sample weight of 2 is exactly the same
        as the row given twice.

    learning_rate : float, default=1e-3
        Of Adam.

    weight_decay : float, default=1e-5
        Of Adam.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    deterministic : bool, default=False
        Whether torch shall use nothing but deterministic algorithms, so that a fit repeats bit for bit on a GPU
        too.

    random_state : int, RandomState instance or None, default=None
        Of the initial weights and the order of the batches.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The two labels, sorted.

    module_ : torch.nn.Module
        The trained network, in float64. Takes standardised features, gives logits.

    mean_, scale_ : ndarray of shape (n_features,), float64
        Mean and standard deviation of the features over the training rows, weighted by `sample_weight`, which
        standardise them: a KL in the thousands does not drown an RL in hundredths. The scale of a feature that
        never varied in training is infinite: it says nothing about the class and has no influence.

    loss_curve_ : list of float
        Weighted mean of the binary cross-entropy, of every epoch.

    n_iter_ : int
        Epochs run.

    best_epoch_ : int
        Epoch, from 0, of the lowest loss, whose weights were kept.

    stopped_by_ : {"max_epochs", "callback"}
        What ended the training.

    n_features_in_ : int
        Features.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Only where X has feature names that are all strings.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same line as ``activation="identity"``, in a millisecond.

    Notes
    -----
    With ``activation="identity"`` the network is logistic regression, trained by another method:
    ``make_pipeline(StandardScaler(), LogisticRegression(C=np.inf))`` gives the same decisions and, unless a straight
    line separates the classes without error, the same probabilities to 0.001. The weight decay is too weak to show.
    scikit-learn's default, ``C=1``, regularises more and moves up to one decision in a hundred.

    "relu" is worth its freedom where no straight line will do: anomalies on both sides of the normal clips, or
    scattered more widely around them. Where a line is the best boundary it overfits.

    A row of NaN stands for a clip that could not be read. A classifier has no label for it, so it is an error in
    `fit` and in `predict` alike; the message says which rows they are.

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

    def __init__(
        self,
        *,
        hidden_sizes=(100, 100),
        activation="relu",
        class_weight=None,
        max_epochs=1000,
        batch_size=None,
        learning_rate=1e-3,
        weight_decay=1e-5,
        device="auto",
        deterministic=False,
        random_state=None,
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
    def fit(self, X, y, sample_weight=None):
        """Train on rows of both classes.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : array-like of shape (n_clips,)
            Two labels, numbers or strings.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of every row, in the loss and in the standardisation. A row of weight 0 takes no part.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is not finite, y has not two classes of positive weight, or the
            training diverges.
        """
        self._check_parameters()
        device = resolve_device(self.device)
        # The callbacks get X as the user passed it, because scoring an array after a fit with feature names warns.
        rows, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self._refuse_missing(rows)
        sample_weight = _check_weights(sample_weight, len(rows))
        weighted = sample_weight > 0
        self.classes_ = _two_classes(y, weighted)
        train_estimator(
            self,
            X,
            y,
            device=device,
            prepare=partial(self._prepare, rows[weighted], y[weighted], sample_weight[weighted], device),
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
        self.mean_, self.scale_ = _standardisation(X, sample_weight)
        data = self._training_data(X, y, sample_weight)
        batch_size = len(data) if self.batch_size is None else self.batch_size
        return TrainingRows(torch.from_numpy(data).to(device), batch_size)

    def decision_function(self, X):
        """Logit of the second class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Positive for ``classes_[1]``.

        Raises
        ------
        ValueError
            If X is not finite, or has other features than in `fit`.
        """
        import torch

        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        self._refuse_missing(X)
        device = resolve_device(self.device)
        module = self.module_.to(device)
        rows = torch.from_numpy((X - self.mean_) / self.scale_)
        with inference():
            logits = [module(part.to(device)).cpu() for part in rows.split(_BLOCK)]
        return torch.cat(logits).numpy()

    def predict(self, X):
        """The likelier label of every row.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips,)
            Of ``classes_``.
        """
        second = self.decision_function(X) > 0
        return self.classes_[second.astype(int)]

    def predict_proba(self, X):
        """Probability of both classes.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            In the order of ``classes_``.
        """
        logits = self.decision_function(X)
        return expit(np.column_stack([-logits, logits]))

    def predict_log_proba(self, X):
        """Logarithm of the probability of both classes, finite where the probability itself rounds to 0.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            In the order of ``classes_``.
        """
        logits = self.decision_function(X)
        return log_expit(np.column_stack([-logits, logits]))

    def _check_parameters(self):
        check_sizes(self.hidden_sizes, "hidden_sizes")
        check_option(self.activation, "activation", ("relu", "identity"))
        if isinstance(self.class_weight, dict):
            for label, weight in self.class_weight.items():
                check_number(weight, f"class_weight[{label!r}]", low=0, closed="neither")
        elif self.class_weight is not None and self.class_weight != "balanced":
            raise ValueError(
                f'class_weight must be None, "balanced" or a dict of label to weight, got {self.class_weight!r}.'
            )
        check_number(self.batch_size, "batch_size", low=1, integer=True, none=True)
        # Again where they are used; here before the callbacks hear of a fit.
        check_number(self.max_epochs, "max_epochs", low=1, integer=True)
        check_number(self.learning_rate, "learning_rate", low=0, closed="neither")
        check_number(self.weight_decay, "weight_decay", low=0)

    def _refuse_missing(self, X):
        missing = np.flatnonzero(np.isnan(X).any(axis=1))
        if not len(missing):
            return
        named = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise ValueError(
            f"Input X contains NaN in {len(missing)} of {len(X)} rows: {named}. That is how a clip that could not be "
            f"read looks, and {type(self).__name__} has no label for it: remove such rows first, "
            "X[~np.isnan(X).any(axis=1)], and their labels with them."
        )

    def _make_module(self):
        from ..networks import DenseClassifier

        # float64 costs next to nothing here, and a row's probability is the same whatever rows are beside it.
        return DenseClassifier(**self._architecture).double()

    def _training_data(self, X, y, sample_weight):
        """Standardised features, target 0 or 1 and weight side by side, one row a clip."""
        target = (y == self.classes_[1]).astype(int)
        of_class = compute_class_weight(
            self.class_weight, classes=self.classes_, y=y, sample_weight=sample_weight
        )
        weight = sample_weight * of_class[target]
        # A mean weight of 1 makes the mean over a batch the weighted mean, and its steps as long as unweighted.
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
    """Fitted attributes, of the end of the training or of one of its epochs."""
    return {
        "module_": module,
        "loss_curve_": list(history.loss_curve),
        "n_iter_": len(history.loss_curve),
        "best_epoch_": history.best_epoch,
    }


def _standardisation(X, weight):
    """Weighted mean and standard deviation of every feature; infinite for one that never varies."""
    origin = X[0]  # subtracted first, so that a feature that never varies has a deviation of exactly 0
    mean = np.average(X - origin, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - origin - mean) ** 2, axis=0, weights=weight))
    return origin + mean, np.where(deviation > 0, deviation, np.inf)


def _two_classes(y, weighted):
    """The two labels among the rows that have a weight, sorted."""
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


def _check_weights(sample_weight, n_rows):
    """One weight a row, float64, none of them negative and not all of them zero."""
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight)
    if weight.shape != (n_rows,):
        raise ValueError(f"sample_weight must have one number a row, ({n_rows},), got shape {weight.shape}.")
    weight = check_array(weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weight.min() < 0:
        raise ValueError(f"sample_weight must not be negative, got {weight.min()} in row {weight.argmin()}.")
    if not weight.any():
        raise ValueError("sample_weight must not be zero throughout: no row is left to train on.")
    return weight
