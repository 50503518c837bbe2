"""`SequencePredictorDetector`: a recurrent network that predicts the next frames."""

from typing import Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number
from .._typing import ClipArrays, Clips, Contamination, FloatArray, RandomState
from ..training import Patience, Prechelt
from ._sequence_detector import SequenceDetector


class SequencePredictorDetector(SequenceDetector):
    """Detect anomalies by the prediction error of a recurrent network that is trained on normal clips.

    At every position of a clip, the network reads `n_context_frames` frames and predicts the next
    `n_predicted_frames` frames. The score of a clip is minus the mean squared error of the predictions.

    X holds spectrograms or sequences of embeddings, (n_clips, n_bins, n_frames), or is a list of (n_bins, n_frames_i).
    A 2-D X, (n_clips, n_frames), holds one curve for every clip, such as the loudness over time.

    Scale spectrograms in dB with ``ClipScaler("zscore", statistics="bin")`` before this detector. Values
    of several tens saturate the gates of a recurrent network. The network then needs epochs to learn more than the mean
    of every bin.

    Parameters
    ----------
    n_context_frames : int, default=10
        Number of frames from which the network predicts. The default values are those of the published detector of
        machine sounds, for 10 s of 128 mel bands at 16 kHz [1]_, unless another source is named.

    n_predicted_frames : int, default=1
        Number of frames after the context that the network predicts at once.

    cell : {"lstm", "gru"}, default="lstm"
        Long short-term memory or gated recurrent units.

    n_layers : int, default=2
        Number of stacked recurrent layers.

    hidden_size : int, default=256
        Length of the hidden state of every layer.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the errors of the windows of a clip are pooled over time into the score of the clip. "max" and "quantile"
        suit faults that sound for a moment only.

    time_quantile : float, default=0.95
        Quantile of the errors for ``time_pooling="quantile"``.

    max_epochs : int, default=10
        Maximum number of passes over the training windows.

    batch_size : int or "auto", default=32
        Number of windows in a batch. "auto" is a quarter of the training windows, at least 16 and at most 256.

    learning_rate : float, default=1e-3
        Learning rate of Adam.

    weight_decay : float, default=0.0

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="patience"
        "patience" stops when the held-out loss has not improved by `tol` for `n_iter_no_change` epochs. "prechelt"
        stops by Prechelt's criteria (:class:`skaudio_ad.training.Prechelt`). None never stops early. An instance,
        such as ``Prechelt(progress=5)``, has its own limits. The weights of the best epoch are always kept. With
        the default values, the training runs all 10 epochs of the published system.

    n_iter_no_change : int, default=10
        Number of epochs without improvement to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Minimum relative improvement of the loss that counts.

    validation_fraction : float, default=0.15
        Fraction of the normal clips that is held out of the training, for early stopping and for ``offset_``, as in
        :class:`AutoencoderDetector`. With 0, the training loss and the training scores are used instead, which are
        too optimistic.

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
        The trained network, with the parts ``recurrent`` and ``output``.

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
        Number of bins of a spectrogram, or of frames of a curve.

    n_samples_fit_ : int
        Number of clips for training, including the held-out clips.

    window_length_ : int
        Number of frames in a window: the context frames and the predicted frames. A clip of n frames has
        ``n - window_length_ + 1`` windows.

    References
    ----------
    .. [1] The published comparison of next-frame prediction by LSTM and window reconstruction by GRU on machine
       sounds. The network is that of P. Malhotra et al., "Long short term memory networks for anomaly detection in
       time series", ESANN 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import SequencePredictorDetector
    >>> rng = np.random.default_rng(0)
    >>> X = (np.arange(60) / 12 + rng.uniform(size=(41, 1, 1))) % 1  # four bins that rise and drop, every 12 frames
    >>> X = X + rng.normal(scale=0.02, size=(41, 4, 60))
    >>> detector = SequencePredictorDetector(hidden_size=32, random_state=0).fit(X[:40])
    >>> detector.predict(X[40:]).tolist()
    [1]
    >>> detector.predict(X[40:, :, ::-1]).tolist()  # the same frames in reverse order
    [-1]
    """

    def __init__(
        self,
        *,
        n_context_frames: int = 10,
        n_predicted_frames: int = 1,
        cell: Literal["lstm", "gru"] = "lstm",
        n_layers: int = 2,
        hidden_size: int = 256,
        time_pooling: Literal["mean", "max", "quantile"] = "mean",
        time_quantile: float = 0.95,
        max_epochs: int = 10,
        batch_size: int | Literal["auto"] = 32,
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
        self.n_context_frames = n_context_frames
        self.n_predicted_frames = n_predicted_frames
        self.cell = cell
        self.n_layers = n_layers
        self.hidden_size = hidden_size
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

    def predict_frames(self, X: Clips) -> ClipArrays:
        """Predict every frame from the frames before it.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames) or (n_clips, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of the same shape, or list
            The first `n_context_frames` frames are NaN because no window predicts them. A frame that several windows
            predict is the mean of their predictions.
        """
        check_is_fitted(self)
        return self._outputs(X, first=self.window_length_ - self.module_.n_predicted_frames)

    def window_centers(self, n_windows: int) -> FloatArray:
        """Return the middle of the predicted frames of every window, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
            ``MelTransformer.frames_to_seconds`` converts these positions to seconds.
        """
        check_is_fitted(self)
        return np.arange(n_windows) + self.window_length_ - (self.module_.n_predicted_frames + 1) / 2

    def _check_parameters(self):
        check_number(self.n_context_frames, "n_context_frames", low=1, integer=True)
        check_number(self.n_predicted_frames, "n_predicted_frames", low=1, integer=True)
        super()._check_parameters()

    def _note_input_kind(self, X):
        self.window_length_ = self.n_context_frames + self.n_predicted_frames
        return super()._note_input_kind(X)

    def _network_settings(self, X):
        return {**super()._network_settings(X), "n_predicted_frames": self.n_predicted_frames}

    def _make_module(self):
        from ..networks import SequencePredictor

        return SequencePredictor(**self._architecture)

    def _compare(self, module, windows):
        n_context_frames = windows.shape[1] - module.n_predicted_frames
        return module(windows[:, :n_context_frames]), windows[:, n_context_frames:]
