"""`VAEDetector`: a variational autoencoder on whole clips."""

from typing import Any, Literal, Self

import numpy.typing as npt
from sklearn.callback import with_callbacks

from .._checks import check_number, check_option, check_sizes
from .._typing import Clips, Contamination, Labels, RandomState
from ..training import Patience, Prechelt
from ._frames import ClipBank
from ._latent_detector import LatentDetector
from ._pairs import as_pairs


class VAEDetector(LatentDetector):
    """Detect anomalies with a variational autoencoder that is trained on normal clips.

    The network has convolutions for whole spectrograms and dense layers for 2-D features. Every clip gets two features.
    RL is the reconstruction loss of the clip, a mean squared error. KL is the Kullback-Leibler divergence of the
    posterior from N(0, I). `score_samples` combines RL and KL to one score. `transform` returns both for a classifier
    such as :class:`RLKLClassifier`.

    Parameters
    ----------
    filters : tuple of int, default=(512, 256, 128, 64, 32)
        Number of filters of every convolution of the encoder. The decoder mirrors the encoder. The default values of
        `filters`, `kernel_sizes`, `strides`, `latent_size`, the weights and the training are those of the published
        one-class dog-bark detector [1]_.

    kernel_sizes : int or tuple, default=3
        Kernel size of every convolution: one for all convolutions, or a tuple with one for each. A kernel size is an
        int or a pair (over bins, over frames).

    strides : int or tuple, default=(2, 2, 2, 2, 1)
        Stride of every convolution, in the form of `kernel_sizes`.

    hidden_sizes : tuple of int, default=(128, 64, 32)
        Widths of the layers of the dense encoder for 2-D features, as in PyOD. The decoder mirrors these layers.

    latent_size : int, default=128
        Length of the latent vector.

    batch_norm : bool, default=True
        Whether to normalise before every ReLU of a convolution or a hidden layer. The published description does not
        tell. The network on which the published detector is based [4]_ normalises after every ReLU.

    output_activation : {"identity", "sigmoid"}, default="identity"
        Last step of the decoder. "identity" suits any scaling. "sigmoid" is for features scaled to [0, 1]
        (``ClipScaler("minmax")``).

    reconstruction_weight : float, default=1562500.0
        Weight of RL in the loss ``reconstruction_weight * RL + kl_weight * KL``. RL is a mean over all values of a
        clip. KL is a sum over the latent vector. Both are means over the clips of a batch. With a small weight, KL
        dominates and the decoder returns noise. The published detector sums KL over the batch as well, so a weight w
        here equals w times the batch size there. The default value is the best weight of the published detector, 1e8
        with batches of 64. In the published sweep over ``np.logspace(0, 10, 10, endpoint=False)``, here divided by 64,
        RL improved up to 1e5.

    kl_weight : float, default=1.0
        Weight of KL: the beta of a beta-VAE.

    score_by : {"elbo", "reconstruction", "kl", "mahalanobis"}, default="elbo"
        `score_samples` is minus this quantity. "elbo" is the loss at the mean of the posterior, "reconstruction" is RL,
        and "kl" is KL. "mahalanobis" is the Mahalanobis distance from the held-out clips in the (RL, KL) plane, or
        from all training clips if fewer than 3 are held out. With a large `reconstruction_weight`, "elbo" ranks clips
        like "reconstruction". The KL of an anomaly can be lower than the KL of normal clips, so "kl" alone can rank
        clips in the wrong order. `transform` returns both values for other scores.

    max_epochs : int, default=50
        Maximum number of passes over the training clips.

    batch_size : int or "auto", default=64
        Number of clips in a batch. "auto" is a quarter of the training clips, at least 16 and at most 256.

    learning_rate : float, default=1e-2
        Learning rate of Adam.

    weight_decay : float, default=5e-4

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="prechelt"
        "prechelt" stops by Prechelt's criteria (:class:`skaudio_ad.training.Prechelt`). "patience" stops when the
        held-out loss has not improved by `tol` for `n_iter_no_change` epochs. None never stops early. An instance,
        such as ``Prechelt(progress=5)``, has its own limits. The weights of the best epoch are always kept.

    n_iter_no_change : int, default=10
        Number of epochs without improvement to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Minimum relative improvement of the loss that counts.

    validation_fraction : float, default=0.15
        Fraction of the normal clips that is held out of the training, for early stopping and for ``offset_``. With 0,
        the training loss and the training scores are used instead, which are too optimistic.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm. The threshold is then
        the conformal 0.05 quantile of the scores of the held-out clips. With fewer than 19 held-out clips (groups),
        the threshold is the lower end of Student's prediction interval for the logarithms of their errors. A float
        has scikit-learn's meaning: the fraction of the training clips that count as anomalous.

    device : str, default="auto"
        "auto" (a GPU if the machine has one), "cpu", "cuda", ...

    deterministic : bool, default=False
        Whether training uses only the deterministic algorithms of torch, so that a run repeats bit for bit on a GPU
        too. Training on a GPU is then slower.

    random_state : int, RandomState instance or None, default=None
        Seed of the split, the initial weights, the order of the batches and the samples of the posterior.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network.

    offset_ : float
        Threshold of `score_samples`.

    rl_kl_location_, rl_kl_precision_ : ndarray of shape (2,) and (2, 2)
        Region of normal clips in the (RL, KL) plane, for ``score_by="mahalanobis"``: the mean, and the inverse of the
        covariance shrunk after Ledoit and Wolf.

    n_active_latents_ : int
        Number of latent values that carry information: those with a mean KL of the training clips above 0.01 nats. 0
        means that the posterior collapsed. `fit` then warns.

    loss_curve_, validation_loss_curve_ : list of float
        Loss of every epoch, on the training clips and on the held-out clips.

    n_iter_ : int
        Number of epochs.

    best_epoch_ : int
        Epoch whose weights were kept, counted from 0.

    stopped_by_ : {"max_epochs", "early_stopping", "callback"}
        Reason for the end of the training.

    held_out_indices_ : ndarray of int
        Positions of the held-out clips among the clips that could be read and are not labelled anomalous.

    held_out_scores_ : ndarray of float64
        Scores of the held-out clips. With "mahalanobis" and 4 to 100 held-out clips, every clip is scored by the region
        of the other clips.

    n_features_in_ : int
        Number of features, or of bins of a spectrogram.

    n_samples_fit_ : int
        Number of clips for training, including the held-out clips.

    References
    ----------
    .. [1] The published detector of dog barks against ESC-10.
    .. [2] D. P. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014.
    .. [3] J. Lucas et al., "Understanding posterior collapse in generative latent variable models", ICLR workshop
       2019.
    .. [4] V. Velardo, "Generating sound with neural networks", 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import VAEDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 16))  # two causes of sixteen features
    >>> detector = VAEDetector(hidden_sizes=(32,), latent_size=4, random_state=0).fit(X[:499])
    >>> detector.predict(X[499:]).tolist()
    [1]
    >>> detector.predict(X[499:] + rng.normal(size=16)).tolist()  # the features no longer fit together
    [-1]
    >>> detector.transform(X[499:]).shape  # RL and KL
    (1, 2)
    """

    def __init__(
        self,
        *,
        filters: tuple[int, ...] = (512, 256, 128, 64, 32),
        kernel_sizes: int | tuple[Any, ...] = 3,
        strides: int | tuple[Any, ...] = (2, 2, 2, 2, 1),
        hidden_sizes: tuple[int, ...] = (128, 64, 32),
        latent_size: int = 128,
        batch_norm: bool = True,
        output_activation: Literal["identity", "sigmoid"] = "identity",
        reconstruction_weight: float = 1562500.0,
        kl_weight: float = 1.0,
        score_by: Literal["elbo", "reconstruction", "kl", "mahalanobis"] = "elbo",
        max_epochs: int = 50,
        batch_size: int | Literal["auto"] = 64,
        learning_rate: float = 1e-2,
        weight_decay: float = 5e-4,
        early_stopping: Literal["patience", "prechelt"] | Patience | Prechelt | None = "prechelt",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        validation_fraction: float = 0.15,
        contamination: Contamination = "auto",
        device: str = "auto",
        deterministic: bool = False,
        random_state: RandomState = None,
    ):
        self.filters = filters
        self.kernel_sizes = kernel_sizes
        self.strides = strides
        self.hidden_sizes = hidden_sizes
        self.latent_size = latent_size
        self.batch_norm = batch_norm
        self.output_activation = output_activation
        self.reconstruction_weight = reconstruction_weight
        self.kl_weight = kl_weight
        self.score_by = score_by
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.contamination = contamination
        self.device = device
        self.deterministic = deterministic
        self.random_state = random_state

    _one_size = True
    # Before a classifier, this detector gets normal and anomalous clips, and trains on the normal clips only.
    _warns_of_anomalies = False

    @with_callbacks
    def fit(self, X: Clips, y: Labels | None = None, groups: npt.ArrayLike | None = None) -> Self:
        """Train on the normal clips of X.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list or lazy sequence of (n_bins, n_frames), all of one length. Clips of NaN could not be read. They
            are left out with a warning.
        y : array-like of shape (n_clips,), default=None
            If all labels are 1 and -1, clips labelled -1 (anomalous) are left out of the training. Unlike other
            detectors, this detector does not warn then, so that it can precede a classifier in a pipeline. With other
            labels, or without labels, all clips of X count as normal.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip, because clips of one group are alike. Whole groups are held
            out, at least one. The threshold then holds for clips of new groups. Every group counts once, whatever its
            number of clips.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or of different lengths, there are too few
            clips to hold one out, or the training diverges.

        Warns
        -----
        UserWarning
            If the posterior collapsed: the posterior is N(0, I) for every clip, and the decoder ignores the clip.
        """
        return self._fit(X, y, groups)

    def _check_parameters(self):
        check_number(self.latent_size, "latent_size", low=1, integer=True)
        check_option(self.batch_norm, "batch_norm", (True, False))
        check_option(self.output_activation, "output_activation", ("identity", "sigmoid"))
        check_number(self.reconstruction_weight, "reconstruction_weight", low=0)
        check_number(self.kl_weight, "kl_weight", low=0)
        check_option(self.score_by, "score_by", ("elbo", "reconstruction", "kl", "mahalanobis"))
        check_sizes(self.hidden_sizes, "hidden_sizes")
        check_sizes(self.filters, "filters", at_least=1)
        as_pairs(self.kernel_sizes, "kernel_sizes", len(self.filters))
        as_pairs(self.strides, "strides", len(self.filters))
        super()._check_parameters()

    def _note_input_kind(self, X):
        return 1

    def _network_settings(self, X):
        common = {
            "latent_size": int(self.latent_size),
            "batch_norm": self.batch_norm,
            "output_activation": self.output_activation,
        }
        self._clip_shape = None if getattr(X, "ndim", 3) == 2 else tuple(X[0].shape)
        if self._clip_shape is None:
            hidden_sizes = tuple(int(size) for size in self.hidden_sizes)
            return {**common, "n_features": self.n_features_in_, "hidden_sizes": hidden_sizes}
        return {
            **common,
            "n_bins": self._clip_shape[0],
            "n_frames": self._clip_shape[1],
            "filters": tuple(int(n) for n in self.filters),
            "kernel_sizes": as_pairs(self.kernel_sizes, "kernel_sizes", len(self.filters)),
            "strides": as_pairs(self.strides, "strides", len(self.filters)),
        }

    def _make_module(self):
        from ..networks import convolutional_vae, dense_vae

        make = convolutional_vae if "filters" in self._architecture else dense_vae
        return make(**self._architecture)

    def _training_windows(self, X, device):
        return ClipBank(X, device)

    def _loss(self, module, batch, generator=None):
        import torch

        from ..networks import kl_divergence

        output, mean, log_variance = module(batch, generator)
        kl = kl_divergence(mean, log_variance).sum(dim=1).mean()
        return self.reconstruction_weight * torch.nn.functional.mse_loss(output, batch) + self.kl_weight * kl
