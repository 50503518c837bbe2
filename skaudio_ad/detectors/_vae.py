"""`VAEDetector`: a variational autoencoder on whole clips."""

from typing import Any, Literal, Self

from sklearn.callback import with_callbacks

from .._checks import check_number, check_option, check_sizes
from .._typing import Clips, Contamination, Labels, RandomState
from ..training import Patience, Prechelt
from ._frames import ClipBank
from ._latent_detector import LatentDetector
from ._pairs import as_pairs


class VAEDetector(LatentDetector):
    """Detect anomalies by how a variational autoencoder, trained on normal clips, reconstructs and encodes them.

    Whole spectrograms go through convolutions, 2-D features through dense layers. A clip has two features, RL, its
    reconstruction loss (mean squared error), and KL, the Kullback-Leibler divergence of its posterior from N(0, I).
    `score_samples` makes one score of them; `transform` gives both, for a classifier such as
    :class:`RLKLClassifier`.

    Parameters
    ----------
    filters : tuple of int, default=(512, 256, 128, 64, 32)
        Of the encoder's convolutions; the decoder mirrors them. These, `kernel_sizes`, `strides`, `latent_size`,
        the weights and the training are those of the published one-class dog-bark detector [1]_.

    kernel_sizes : int or tuple, default=3
        Of every convolution, one for all or one each; each an int or a pair (over bins, over frames).

    strides : int or tuple, default=(2, 2, 2, 2, 1)
        As `kernel_sizes`.

    hidden_sizes : tuple of int, default=(128, 64, 32)
        Widths of the dense encoder for 2-D features, PyOD's; the decoder mirrors them.

    latent_size : int, default=128
        Length of the latent vector.

    batch_norm : bool, default=True
        Whether to normalise before every ReLU of a convolution or hidden layer; the published description does not
        say, and the network it builds on [4]_ does so after it.

    output_activation : {"identity", "sigmoid"}, default="identity"
        Last step of the decoder. "identity" fits any scaling; "sigmoid" is for features scaled to [0, 1]
        (``ClipScaler("minmax")``).

    reconstruction_weight : float, default=1562500.0
        Weight of RL in the loss ``reconstruction_weight * RL + kl_weight * KL``. RL is a mean over all values of a
        clip, KL a sum over the latent vector, and both are means over the clips of a batch: with a small weight KL wins
        and the decoder returns noise. The published detector sums KL over the batch as well, so a weight w here stands
        for w times the batch size there. The default is its best weight, 1e8 with batches of 64. Its sweep over
        ``np.logspace(0, 10, 10, endpoint=False)``, here divided by 64, found that RL improves up to 1e5.

    kl_weight : float, default=1.0
        Weight of KL, the beta of a beta-VAE.

    score_by : {"elbo", "reconstruction", "kl", "mahalanobis"}, default="elbo"
        What `score_samples` is minus of: the loss at the posterior's mean, RL, KL, or the Mahalanobis distance in
        the (RL, KL) plane from the held-out clips (all training clips where fewer than 3 are held out). With a
        large `reconstruction_weight`, "elbo" ranks as "reconstruction" does. KL of an anomaly may well be lower
        than that of normal clips, so "kl" alone can rank upside down. `transform` has both for a score of your own.

    max_epochs : int, default=50
        Most passes over the training clips.

    batch_size : int or "auto", default=64
        Clips a step. "auto" is a quarter of those that are trained on, at least 16 and at most 256.

    learning_rate : float, default=1e-2
        Of Adam.

    weight_decay : float, default=5e-4

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="prechelt"
        Stop by Prechelt's criteria (:class:`skaudio_ad.training.Prechelt`), when the held-out loss has not
        improved by `tol` for `n_iter_no_change` epochs, or never. An instance, such as ``Prechelt(progress=5)``,
        brings its own limits. The weights of the best epoch are kept in every case.

    n_iter_no_change : int, default=10
        Epochs to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Smallest relative improvement of the loss that counts.

    validation_fraction : float, default=0.15
        Fraction of the clips, normal like all of them, held out of training to stop it early and to set
        ``offset_``. 0 holds out none, and then the training loss and the training scores are used instead, which
        flatter the model.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm, judged by the
        held-out clips: the conformal 0.05 quantile of their scores, or with fewer than 19 clips (groups) the
        lower end of Student's prediction interval for the logarithms of their errors. A float is scikit-learn's
        meaning: the fraction of the training clips that shall count as anomalous.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    deterministic : bool, default=False
        Whether training uses nothing but torch's deterministic algorithms: on a GPU, and slower there, for runs
        that repeat bit for bit.

    random_state : int, RandomState instance or None, default=None
        Of the split, the initial weights, the order of the batches and the samples of the posterior.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network.

    offset_ : float
        Threshold on the scale of `score_samples`.

    rl_kl_location_, rl_kl_precision_ : ndarray of shape (2,) and (2, 2)
        Where normal clips lie in the (RL, KL) plane, for ``score_by="mahalanobis"``: mean and inverse shrunk
        covariance (Ledoit and Wolf).

    n_active_latents_ : int
        Latent values that carry information: mean KL of the training clips above 0.01 nats. 0 means a collapsed
        posterior, which `fit` warns of.

    loss_curve_, validation_loss_curve_ : list of float
        Loss of every epoch, on the training and on the held-out clips.

    n_iter_ : int
        Epochs run.

    best_epoch_ : int
        Epoch, from 0, whose weights were kept.

    stopped_by_ : {"max_epochs", "early_stopping", "callback"}
        What ended the training.

    held_out_indices_ : ndarray of int
        The clips held out, as positions among those that could be read and are not labelled anomalous.

    held_out_scores_ : ndarray of float64
        Their scores; by "mahalanobis", and 4 to 100 of them, each from the others.

    n_features_in_ : int
        Features, or bins of a spectrogram.

    n_samples_fit_ : int
        Clips trained on or held out.

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
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 16))  # two causes behind sixteen features
    >>> detector = VAEDetector(hidden_sizes=(32,), latent_size=4, random_state=0).fit(X[:499])
    >>> detector.predict(X[499:]).tolist()
    [1]
    >>> detector.predict(X[499:] + rng.normal(size=16)).tolist()  # features that no longer go together
    [-1]
    >>> detector.transform(X[499:]).shape  # RL and KL
    (1, 2)
    """

    def __init__(
        self,
        *,
        filters=(512, 256, 128, 64, 32),
        kernel_sizes=3,
        strides=(2, 2, 2, 2, 1),
        hidden_sizes=(128, 64, 32),
        latent_size=128,
        batch_norm=True,
        output_activation="identity",
        reconstruction_weight=1562500.0,
        kl_weight=1.0,
        score_by="elbo",
        max_epochs=50,
        batch_size=64,
        learning_rate=1e-2,
        weight_decay=5e-4,
        early_stopping="prechelt",
        n_iter_no_change=10,
        tol=1e-4,
        validation_fraction=0.15,
        contamination="auto",
        device="auto",
        deterministic=False,
        random_state=None,
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
    # In front of a classifier it gets clips of both kinds, and is there to be trained on one.
    _warns_of_anomalies = False

    @with_callbacks
    def fit(self, X, y=None, groups=None):
        """Train on the normal clips of X.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list or lazy sequence of (n_bins, n_frames), all of one length. Clips of NaN, which could not be
            read, are left out with a warning.
        y : array-like of shape (n_clips,), default=None
            Clips labelled -1 (anomalous) are left out of training where all labels are 1 and -1, so that the
            detector can stand before a classifier in a pipeline: without a warning, unlike in other detectors. Other
            labels, or none, and X is all normal.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip: clips that are alike. Whole groups are held out, at least
            one. The threshold is then one for clips of new groups, and every group counts once, however many clips
            it has.

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
            If the posterior collapsed: it is N(0, I) for every clip, and the decoder ignores it.
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
