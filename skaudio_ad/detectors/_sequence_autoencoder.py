"""`SequenceAutoencoderDetector`: a recurrent network that reconstructs windows of frames."""

from typing import Literal

from .._checks import check_number
from .._typing import ClipArrays, Clips, Contamination, RandomState
from ..training import Patience, Prechelt
from ._sequence_detector import SequenceDetector


class SequenceAutoencoderDetector(SequenceDetector):
    """Detect anomalies by the reconstruction error of a recurrent autoencoder that is trained on normal clips.

    The encoder reads a window of `window_length` frames and returns its last hidden state. The decoder gets this state
    at every step and reconstructs the window. The score of a clip is minus the mean squared error of its windows.

    X holds spectrograms or sequences of embeddings, (n_clips, n_bins, n_frames), or is a list of (n_bins, n_frames_i).
    A 2-D X, (n_clips, n_frames), holds one curve for every clip, such as the loudness over time.

    Scale spectrograms in dB with ``ClipScaler("zscore", statistics="bin")`` before this detector. Values
    of several tens saturate the gates of a recurrent network. The network then learns little more than the mean of
    every bin.

    Parameters
    ----------
    window_length : int, default=10
        Number of frames in a window. The default values are those of the published detector of machine sounds, for 10 s
        of 128 mel bands at 16 kHz [1]_, unless another source is named.

    cell : {"lstm", "gru"}, default="gru"
        Long short-term memory or gated recurrent units.

    n_layers : int, default=2
        Number of stacked recurrent layers of the encoder. The decoder has the same number.

    hidden_size : int, default=256
        Length of the hidden state of every layer, and of the code of a window.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the errors of the windows of a clip are pooled over time into the score of the clip. "max" and "quantile"
        suit faults that sound for a moment only.

    time_quantile : float, default=0.95
        Quantile of the errors for ``time_pooling="quantile"``.

    max_epochs : int, default=10
        Maximum number of passes over the training windows.

    batch_size : int or "auto", default=64
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
        The trained network, with the parts ``encoder``, ``decoder`` and ``output``.

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
        Number of frames in a window at the last fit. A clip of n frames has ``n - window_length_ + 1`` windows.

    References
    ----------
    .. [1] The published comparison of next-frame prediction by LSTM and window reconstruction by GRU on machine
       sounds. The decoder gets the code at every step as in K. Cho et al., "Learning phrase representations using RNN
       encoder-decoder for statistical machine translation", EMNLP 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import SequenceAutoencoderDetector
    >>> rng = np.random.default_rng(0)
    >>> X = (np.arange(60) / 12 + rng.uniform(size=(41, 1, 1))) % 1  # four bins that rise and drop, every 12 frames
    >>> X = X + rng.normal(scale=0.02, size=(41, 4, 60))
    >>> detector = SequenceAutoencoderDetector(hidden_size=32, batch_size=32, random_state=0).fit(X[:40])
    >>> detector.predict(X[40:]).tolist()
    [1]
    >>> detector.predict(X[40:, :, ::-1]).tolist()  # the same frames in reverse order
    [-1]
    """

    def __init__(
        self,
        *,
        window_length: int = 10,
        cell: Literal["lstm", "gru"] = "gru",
        n_layers: int = 2,
        hidden_size: int = 256,
        time_pooling: Literal["mean", "max", "quantile"] = "mean",
        time_quantile: float = 0.95,
        max_epochs: int = 10,
        batch_size: int | Literal["auto"] = 64,
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
        self.window_length = window_length
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

    def reconstruct(self, X: Clips) -> ClipArrays:
        """Reconstruct every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames) or (n_clips, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of the same shape, or list
            A frame that several windows cover is the mean of the reconstructions of these windows.
        """
        return self._outputs(X)

    def _check_parameters(self):
        check_number(self.window_length, "window_length", low=1, integer=True)
        super()._check_parameters()

    def _note_input_kind(self, X):
        self.window_length_ = self.window_length
        return super()._note_input_kind(X)

    def _make_module(self):
        from ..networks import SequenceAutoencoder

        return SequenceAutoencoder(**self._architecture)

    def _compare(self, module, windows):
        return module(windows), windows
