"""`AutoencoderDetector`: a dense autoencoder on features or on windows of frames."""

from .._checks import check_number, check_option, check_sizes
from ._window_detector import WindowDetector

_PRESETS = {
    # DCASE 2020-2026 Task 2 baseline (Koizumi et al. 2020; Harada et al. 2023): 640-128x4-8-128x4-640.
    "dcase_baseline": {
        "context": 5,
        "hidden_sizes": (128, 128, 128, 128),
        "bottleneck_size": 8,
        "batch_norm": True,
        "bottleneck_activation": True,
        "learning_rate": 1e-3,
        "batch_size": 256,
        "max_epochs": 100,
        "early_stopping": None,
        "validation_fraction": 0.1,
    },
    # The published heart and lung sound project on HLS-CMDS: input-128-32-128-input.
    "heart_lung": {
        "hidden_sizes": (128,),
        "bottleneck_size": 32,
        "batch_norm": False,
        "bottleneck_activation": False,
        "learning_rate": 1e-3,
        "batch_size": 8,
        "max_epochs": 300,
        "early_stopping": "patience",
        "validation_fraction": 0.15 / 0.85,
    },
}


class AutoencoderDetector(WindowDetector):
    """Detect anomalies as what a dense autoencoder, trained on normal clips, reconstructs badly.

    Takes 2-D features, one row a clip, or spectrograms, which it cuts into overlapping windows of `context`
    frames. The score of a clip is minus the mean squared error of its windows.

    Parameters
    ----------
    context : int, default=5
        Frames a window; ignored for 2-D features. 5 frames of 128 bands, 640 values, are the input of the
        DCASE Task 2 baseline, which the defaults follow where no other source is named.

    hidden_sizes : tuple of int, default=(128, 128, 128, 128)
        Widths of the encoder's layers; the decoder mirrors them.

    bottleneck_size : int, default=8
        Width of the narrowest layer.

    activation : {"relu", "selu", "tanh"}, default="relu"

    batch_norm : bool, default=True
        Whether to normalise before every activation.

    bottleneck_activation : bool, default=True
        Whether the bottleneck is normalised and activated too, or linear.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the errors of a clip's windows become its score. "max" and "quantile" suit faults that sound for
        moments only.

    time_quantile : float, default=0.95
        For ``time_pooling="quantile"``.

    max_epochs : int, default=100
        Most passes over the training windows.

    batch_size : int or "auto", default="auto"
        Windows (or rows of 2-D features) a step. "auto" is a quarter of those that are trained on, at least 16 and
        at most 256, the DCASE baseline's. Of 85 rows, steps of 256 make one step an epoch, and a network that
        has seen a row often enough to know it by heart; steps of 8 are too few rows for batch normalisation.

    learning_rate : float, default=1e-3
        Of Adam.

    weight_decay : float, default=0.0

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="patience"
        Stop when the held-out loss has not improved by `tol` for `n_iter_no_change` epochs; by Prechelt's
        criteria (:class:`skaudio_ad.training.Prechelt`); or never. An instance, such as
        ``Prechelt(progress=5)``, brings its own limits. The weights of the best epoch are kept in every case.

    n_iter_no_change : int, default=10
        Epochs to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Smallest relative improvement of the loss that counts.

    validation_fraction : float, default=0.15
        Fraction of the clips, normal like all of them, held out of training to stop it early and to set
        ``offset_`` (the 70/15/15 split of the published heart and lung project). 0 holds out none, and then
        the training loss and the training scores are used instead, which flatter the model.

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
        Of the split, the initial weights and the order of the batches.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, with ``encoder`` and ``decoder``.

    offset_ : float
        Threshold on the scale of `score_samples`.

    loss_curve_, validation_loss_curve_ : list of float
        Mean squared error of every epoch, on the training and on the held-out clips.

    n_iter_ : int
        Epochs run.

    best_epoch_ : int
        Epoch, from 0, whose weights were kept.

    stopped_by_ : {"max_epochs", "early_stopping", "callback"}
        What ended the training.

    held_out_indices_ : ndarray of int
        The clips held out, as positions among those that could be read and are not labelled anomalous.

    held_out_scores_ : ndarray of float64
        Their scores.

    n_features_in_ : int
        Features, or bins of a spectrogram.

    n_samples_fit_ : int
        Clips trained on or held out.

    window_length_ : int
        Frames a window: `context`, or 1 for 2-D features.

    References
    ----------
    Y. Koizumi et al., "Description and discussion on DCASE2020 Challenge Task 2", DCASE Workshop 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import AutoencoderDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 16))  # two causes behind sixteen features
    >>> detector = AutoencoderDetector(hidden_sizes=(32,), bottleneck_size=4, random_state=0)
    >>> detector.fit(X[:499]).predict(X[499:]).tolist()
    [1]
    >>> detector.predict(X[499:] + rng.normal(size=16)).tolist()  # features that no longer go together
    [-1]
    """

    def __init__(
        self,
        *,
        context=5,
        hidden_sizes=(128, 128, 128, 128),
        bottleneck_size=8,
        activation="relu",
        batch_norm=True,
        bottleneck_activation=True,
        time_pooling="mean",
        time_quantile=0.95,
        max_epochs=100,
        batch_size="auto",
        learning_rate=1e-3,
        weight_decay=0.0,
        early_stopping="patience",
        n_iter_no_change=10,
        tol=1e-4,
        validation_fraction=0.15,
        contamination="auto",
        device="auto",
        deterministic=False,
        random_state=None,
    ):
        self.context = context
        self.hidden_sizes = hidden_sizes
        self.bottleneck_size = bottleneck_size
        self.activation = activation
        self.batch_norm = batch_norm
        self.bottleneck_activation = bottleneck_activation
        self.time_pooling = time_pooling
        self.time_quantile = time_quantile
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

    @classmethod
    def from_preset(cls, name, **overrides):
        """A detector with the settings of a published system.

        Parameters
        ----------
        name : {"dcase_baseline", "heart_lung"}
            The DCASE Task 2 baseline autoencoder, or the dense autoencoder on MFCCs of heart and lung sounds.
            :func:`skaudio_ad.presets.make_preset` gives the whole pipelines.
        **overrides : dict
            Parameters that differ from the preset.

        Returns
        -------
        AutoencoderDetector
        """
        check_option(name, "name", tuple(_PRESETS))
        return cls(**{**_PRESETS[name], **overrides})

    def reconstruct(self, X):
        """What the autoencoder makes of every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of the same shape, or list
            A frame that several windows cover is the mean of their reconstructions.
        """
        X = self._check_input(X)
        return self._scorer(self.module_).outputs(X)

    def _check_parameters(self):
        check_number(self.context, "context", low=1, integer=True)
        check_sizes(self.hidden_sizes, "hidden_sizes")
        check_number(self.bottleneck_size, "bottleneck_size", low=1, integer=True)
        check_option(self.activation, "activation", ("relu", "selu", "tanh"))
        check_option(self.batch_norm, "batch_norm", (True, False))
        check_option(self.bottleneck_activation, "bottleneck_activation", (True, False))
        super()._check_parameters()

    def _note_input_kind(self, X):
        self.window_length_ = 1 if getattr(X, "ndim", 3) == 2 else self.context
        return self.window_length_

    def _network_settings(self, X):
        return {
            "n_features": self.n_features_in_ * self.window_length_,
            "hidden_sizes": tuple(int(size) for size in self.hidden_sizes),
            "bottleneck_size": self.bottleneck_size,
            "activation": self.activation,
            "batch_norm": self.batch_norm,
            "bottleneck_activation": self.bottleneck_activation,
        }

    def _make_module(self):
        from ..networks import DenseAutoencoder

        return DenseAutoencoder(**self._architecture)

    def _compare(self, module, windows):
        rows = windows.flatten(1)
        return module(rows).view(windows.shape), windows
