"""`AutoencoderDetector`: a dense autoencoder on features or on windows of frames."""

from typing import Any, Literal, Self

from .._checks import check_number, check_option, check_sizes
from .._typing import ClipArrays, Clips, Contamination, RandomState
from ..training import Patience, Prechelt
from ._residual_detector import ResidualDetector

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


class AutoencoderDetector(ResidualDetector):
    """Detect anomalies by the reconstruction error of a dense autoencoder that is trained on normal clips.

    X holds 2-D features, one row for every clip, or spectrograms. The detector cuts spectrograms into overlapping
    windows of `context` frames. The score of a clip is minus the mean squared error of its windows, or minus a
    Mahalanobis distance of its residuals.

    Parameters
    ----------
    context : int, default=5
        Number of frames in a window, ignored for 2-D features. The input of the DCASE Task 2 baseline is 5 frames of
        128 bands, which are 640 values. The default values are those of this baseline unless another source is named.

    hidden_sizes : tuple of int, default=(128, 128, 128, 128)
        Widths of the layers of the encoder. The decoder mirrors these layers.

    bottleneck_size : int, default=8
        Width of the narrowest layer.

    activation : {"relu", "selu", "tanh"}, default="relu"

    batch_norm : bool, default=True
        Whether to normalise before every activation.

    bottleneck_activation : bool, default=True
        Whether the bottleneck is normalised and activated too. A bottleneck with False is linear.

    error : {"mse", "mahalanobis", "mahalanobis-clip"}, default="mse"
        How the residuals, the input minus the reconstruction, become the error of a clip. The training minimises the
        mean squared error in every case.

        - "mse": the mean squared error of the windows.
        - "mahalanobis": the squared Mahalanobis distance of the residual of a window, divided by the number of values
          in a window, and the mean over the windows. Every window takes the nearest domain. The baseline of DCASE 2023
          Task 2 is described like this [2]_.
        - "mahalanobis-clip": the squared Mahalanobis distance of the mean residual of all frames of the clip's windows.
          Every clip takes the nearest domain. The released program of that baseline computes this error [3]_.

        The covariances of the residuals are learnt on the training clips that are not held out, one for every domain
        that `fit` gets. Distances are measured from a residual of 0, as in the program.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the errors of the windows of a clip are pooled over time into the score of the clip. "max" and "quantile"
        suit faults that sound for a moment only. ``error="mahalanobis-clip"`` takes "mean" only.

    time_quantile : float, default=0.95
        Quantile of the errors for ``time_pooling="quantile"``.

    max_epochs : int, default=100
        Maximum number of passes over the training windows.

    batch_size : int or "auto", default="auto"
        Number of windows, or of rows of 2-D features, in a batch. "auto" is a quarter of the training windows or rows,
        at least 16 and at most 256, the value of the DCASE baseline. Few rows need small batches: with 85 rows and
        batches of 256, an epoch has a single step, and the network overfits. Batches of 8 rows are too small for batch
        normalisation.

    learning_rate : float, default=1e-3
        Learning rate of Adam.

    weight_decay : float, default=0.0

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="patience"
        "patience" stops when the held-out loss has not improved by `tol` for `n_iter_no_change` epochs. "prechelt"
        stops by Prechelt's criteria (:class:`skaudio_ad.training.Prechelt`). None never stops early. An instance,
        such as ``Prechelt(progress=5)``, has its own limits. The weights of the best epoch are always kept.

    n_iter_no_change : int, default=10
        Number of epochs without improvement to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Minimum relative improvement of the loss that counts.

    validation_fraction : float, default=0.15
        Fraction of the normal clips that is held out of the training, for early stopping and for ``offset_`` (the
        70/15/15 split of the published heart and lung project). With 0, the training loss and the training scores are
        used instead, which are too optimistic.

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
        Seed of the split, the initial weights and the order of the batches.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, with the parts ``encoder`` and ``decoder``.

    offset_ : float
        Threshold of `score_samples`.

    loss_curve_, validation_loss_curve_ : list of float
        Mean squared error of every epoch, on the training clips and on the held-out clips.

    n_iter_ : int
        Number of epochs.

    best_epoch_ : int
        Epoch whose weights were kept, counted from 0.

    stopped_by_ : {"max_epochs", "early_stopping", "callback"}
        Reason for the end of the training.

    held_out_indices_ : ndarray of int
        Positions of the held-out clips among the clips that could be read and are not labelled anomalous.

    held_out_scores_ : ndarray of float64
        Scores of the held-out clips.

    n_features_in_ : int
        Number of features, or of bins of a spectrogram.

    n_samples_fit_ : int
        Number of clips for training, including the held-out clips.

    window_length_ : int
        Number of frames in a window: `context`, or 1 for 2-D features.

    domains_ : ndarray of shape (n_domains,)
        Labels of the domains with a covariance, in sorted order. Empty if `fit` got no domains, or ``error="mse"``.

    Notes
    -----
    A covariance has no inverse if a domain has fewer training windows than values in a window (5 x 128 for the DCASE
    baseline), or if bands do not vary. The detector then warns, and takes the Ledoit-Wolf covariance of the domain. If
    the windows of the domain do not vary at all, or there is a single row of 2-D features, the detector takes the
    covariance of all domains together. The official program fails there. A domain whose clips are all held out of the
    training has no covariance, with a warning, and its clips are measured by the other domains.

    The official program divides the scatter for "mahalanobis-clip" by the number of windows, not by the number of
    frames, and subtracts the mean of every batch, not of the domain. Its errors are therefore smaller by a factor of
    about `context`, which is the same for all clips.

    References
    ----------
    .. [1] Y. Koizumi et al., "Description and discussion on DCASE2020 Challenge Task 2", DCASE Workshop 2020.
    .. [2] N. Harada et al., "First-shot anomaly sound detection for machine condition monitoring: a domain
       generalization baseline", EUSIPCO 2023.
    .. [3] The program "dcase2023_task2_baseline_ae" of the organisers of DCASE Task 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import AutoencoderDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 16))  # two causes of sixteen features
    >>> detector = AutoencoderDetector(hidden_sizes=(32,), bottleneck_size=4, random_state=0)
    >>> detector.fit(X[:499]).predict(X[499:]).tolist()
    [1]
    >>> detector.predict(X[499:] + rng.normal(size=16)).tolist()  # the features no longer fit together
    [-1]
    """

    def __init__(
        self,
        *,
        context: int = 5,
        hidden_sizes: tuple[int, ...] = (128, 128, 128, 128),
        bottleneck_size: int = 8,
        activation: Literal["relu", "selu", "tanh"] = "relu",
        batch_norm: bool = True,
        bottleneck_activation: bool = True,
        error: Literal["mse", "mahalanobis", "mahalanobis-clip"] = "mse",
        time_pooling: Literal["mean", "max", "quantile"] = "mean",
        time_quantile: float = 0.95,
        max_epochs: int = 100,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        early_stopping: Literal["patience", "prechelt"] | Patience | Prechelt | None = "patience",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        validation_fraction: float = 0.15,
        contamination: Contamination = "auto",
        device: str = "auto",
        deterministic: bool = False,
        random_state: RandomState = None,
    ):
        self.context = context
        self.hidden_sizes = hidden_sizes
        self.bottleneck_size = bottleneck_size
        self.activation = activation
        self.batch_norm = batch_norm
        self.bottleneck_activation = bottleneck_activation
        self.error = error
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
    def from_preset(cls, name: Literal["dcase_baseline", "heart_lung"], **overrides: Any) -> Self:
        """Make a detector with the settings of a published system.

        Parameters
        ----------
        name : {"dcase_baseline", "heart_lung"}
            The DCASE Task 2 baseline autoencoder, or the dense autoencoder on MFCCs of heart and lung sounds.
            :func:`skaudio_ad.presets.make_preset` makes the whole pipelines.
        **overrides : dict
            Parameters that replace those of the preset.

        Returns
        -------
        AutoencoderDetector
        """
        check_option(name, "name", tuple(_PRESETS))
        return cls(**{**_PRESETS[name], **overrides})

    def reconstruct(self, X: Clips) -> ClipArrays:
        """Reconstruct every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of the same shape, or list
            A frame that several windows cover is the mean of the reconstructions of these windows.
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
