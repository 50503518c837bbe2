"""`VAEDetector`: a variational autoencoder on whole clips."""

import warnings

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from .._checks import check_number, check_option, check_sizes, users_level
from ..training import inference, resolve_device
from ._frames import ClipBank
from ._module_detector import ModuleDetector
from ._vae_passes import VAEPasses, as_pairs, normal_region, without_missing

# A latent value whose KL divergence stays below, in nats, says nothing about a clip (Lucas et al. 2019).
_INACTIVE = 0.01
# So many held-out clips move little when one of them is left out.
_MANY = 100


class VAEDetector(TransformerMixin, ModuleDetector):
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
    _scoring_parameters = ("score_by", "reconstruction_weight", "kl_weight")

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

    def transform(self, X):
        """The two features of every clip, from the mean of its posterior.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            RL, the mean squared error of the reconstruction, and KL, the divergence of the posterior from
            N(0, I) in nats. NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return self._passes(self.module_).rl_kl(X)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
            "RL" and "KL".
        """
        check_is_fitted(self)
        return np.array(["RL", "KL"], dtype=object)

    def score_frames(self, X):
        """Minus the mean squared error of every frame's reconstruction: when does it sound wrong?

        Whatever `score_by` is: KL belongs to the clip as a whole.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_frames)
            (n_clips, 1) for 2-D features.
        """
        X = self._check_input(X)
        if self._clip_shape is None:
            return -self._passes(self.module_).rl_kl(X)[:, :1]
        return self._passes(self.module_).frame_scores(X)

    def window_centers(self, n_windows):
        """Position of every score of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
            ``MelTransformer.frames_to_seconds`` makes them seconds.
        """
        check_is_fitted(self)
        return np.arange(n_windows, dtype=np.float64)

    def encode(self, X):
        """Means of the posteriors.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, latent_size)
            NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return np.concatenate([mean for *_, mean, _ in self._passes(self.module_)(X)]).astype(np.float32)

    def decode(self, Z):
        """Clips that latent vectors stand for.

        Parameters
        ----------
        Z : array-like of shape (n_clips, latent_size)

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Shaped as the clips of the fit; NaN for a vector of NaN.
        """
        check_is_fitted(self)
        latent_size = self._architecture["latent_size"]
        Z = check_array(Z, dtype=np.float32, ensure_all_finite="allow-nan", input_name="Z")
        if Z.shape[1] != latent_size:
            raise ValueError(
                f"Z must have the {latent_size} columns of the latent vectors, got {Z.shape[1]}."
            )
        import torch

        device = resolve_device(self.device)
        module = self.module_.to(device)
        with inference():
            parts = [module.decode(row.to(device)).cpu().numpy() for row in torch.from_numpy(Z).split(1)]
        return without_missing(np.concatenate(parts), Z)

    def reconstruct(self, X):
        """What the autoencoder makes of every clip: ``decode(encode(X))``, up to rounding.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return np.concatenate([output for _, output, *_ in self._passes(self.module_)(X)]).astype(np.float32)

    def sample(self, n_samples=1, random_state=None):
        """New clips, from latent vectors drawn from N(0, I).

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            None is the detector's own.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, n_bins, n_frames)
        """
        check_is_fitted(self)
        check_number(n_samples, "n_samples", low=1, integer=True)
        generator = check_random_state(self.random_state if random_state is None else random_state)
        return self.decode(generator.normal(size=(n_samples, self._architecture["latent_size"])))

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

    def _look_at(self, X):
        return 1

    def _describe(self, X):
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

    def _make_bank(self, X, device):
        return ClipBank(X, device)

    def _loss(self, module, batch, generator=None):
        import torch

        from ..networks import kl_divergence

        output, mean, log_variance = module(batch, generator)
        kl = kl_divergence(mean, log_variance).sum(dim=1).mean()
        return self.reconstruction_weight * torch.nn.functional.mse_loss(output, batch) + self.kl_weight * kl

    def _score(self, module, X):
        return self._combine(self._passes(module).rl_kl(X), self.rl_kl_location_, self.rl_kl_precision_)

    def _combine(self, rl_kl, location, precision):
        """One score of RL and KL, float64 (n_clips,)."""
        # Value by value: the sums of matrix products come in an order that depends on the number of clips.
        settings = self._settings
        if settings["score_by"] == "mahalanobis":
            rl, kl = (rl_kl - location).T
            squared = precision[0, 0] * rl**2 + 2 * precision[0, 1] * rl * kl + precision[1, 1] * kl**2
            return -np.sqrt(np.maximum(squared, 0))
        rl, kl = rl_kl.T
        elbo = settings["reconstruction_weight"] * rl + settings["kl_weight"] * kl
        return -{"elbo": elbo, "reconstruction": rl, "kl": kl}[settings["score_by"]]

    def _calibrated(self, X, groups, module):
        rl, kl = self._passes(module).measure(X)
        rl_kl, n_held_out = np.column_stack([rl, kl.sum(axis=1)]), len(self.held_out_indices_)
        held_out = rl_kl[self.held_out_indices_]
        region = normal_region(held_out if n_held_out >= 3 else rl_kl)
        scores = self._combine(held_out, *region)
        if self._settings["score_by"] == "mahalanobis" and n_held_out <= _MANY:
            scores = self._leave_one_out(held_out, groups, scores)
        offset = self._offset(scores, lambda: self._combine(rl_kl, *region), groups)
        return {
            "rl_kl_location_": region[0],
            "rl_kl_precision_": region[1],
            "n_active_latents_": int(np.sum(kl.mean(axis=0) > _INACTIVE)),
            "held_out_scores_": scores,
            "offset_": offset,
        }

    def _leave_one_out(self, held_out, groups, scores):
        """Scores of the held-out clips, each by the region of the others; `scores` where those are too few.

        A clip that helped to estimate the region would get too small a distance, and so would another of its group.
        """
        members = np.arange(len(held_out)) if groups is None else groups[self.held_out_indices_]
        others = [held_out[members != member] for member in members]
        if min(map(len, others), default=0) < 3:
            return scores
        regions = [normal_region(rows) for rows in others]
        return np.concatenate([self._combine(row[np.newaxis], *r) for row, r in zip(held_out, regions)])

    def _judge(self):
        if self.n_active_latents_ == 0:
            warnings.warn(
                f"the posterior collapsed: it is N(0, I) for every clip (mean KL of every latent value < {_INACTIVE} "
                "nats), so the decoder ignores the clip and KL tells nothing. Raise reconstruction_weight (now "
                f"{self.reconstruction_weight:g}) or lower kl_weight (now {self.kl_weight:g}); after a few steps of "
                "training, raise max_epochs.",
                UserWarning,
                stacklevel=users_level(),
            )

    def _passes(self, module):
        return VAEPasses(module, self._clip_shape, resolve_device(self.device))

    def _check_input(self, X):
        X = super()._check_input(X)
        is_features = getattr(X, "ndim", 3) == 2
        if is_features != (self._clip_shape is None):
            kinds = ("features, (n_clips, n_features)", "spectrograms, (n_clips, n_bins, n_frames)")
            given, fitted = kinds if is_features else kinds[::-1]
            raise ValueError(f"{type(self).__name__} was fitted on {fitted}, but got {given}.")
        return X
