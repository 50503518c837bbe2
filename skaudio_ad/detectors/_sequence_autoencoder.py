"""`SequenceAutoencoderDetector`: a recurrent network that reconstructs windows of frames."""

from .._checks import check_number
from ._sequence_detector import SequenceDetector


class SequenceAutoencoderDetector(SequenceDetector):
    """Detect anomalies as windows that a recurrent autoencoder, trained on normal clips, reconstructs badly.

    The encoder reads a window of `window_length` frames into its last hidden state, and the decoder, which gets that
    state at every step, makes the window of it. The score of a clip is minus the mean squared error of its windows.

    X holds spectrograms or sequences of embeddings, (n_clips, n_bins, n_frames), or a list of (n_bins, n_frames_i);
    or, 2-D, one curve a clip, such as its loudness over time: (n_clips, n_frames).

    Scale spectrograms in dB first, by ``ClipScaler("zscore", statistics="bin")``. Values of tens saturate the gates
    of a recurrent network, which then learns hardly more than the mean of every bin.

    Parameters
    ----------
    window_length : int, default=10
        Frames a window. This and the other defaults are those of the published detector of machine sounds, 10 s
        of 128 mel bands at 16 kHz [1]_, where no other source is named.

    cell : {"lstm", "gru"}, default="gru"
        Long short-term memory, or gated recurrent units.

    n_layers : int, default=2
        Recurrent layers of the encoder, one on the other, and as many of the decoder.

    hidden_size : int, default=256
        Length of the hidden state of each, and so of the code that a window has to go through.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the errors of a clip's windows become its score. "max" and "quantile" suit faults that sound for
        moments only.

    time_quantile : float, default=0.95
        For ``time_pooling="quantile"``.

    max_epochs : int, default=10
        Most passes over the training windows.

    batch_size : int or "auto", default=64
        Windows a step. "auto" is a quarter of those that are trained on, at least 16 and at most 256.

    learning_rate : float, default=1e-3
        Of Adam.

    weight_decay : float, default=0.0

    early_stopping : {"patience", "prechelt", None}, Patience or Prechelt, default="patience"
        Stop when the held-out loss has not improved by `tol` for `n_iter_no_change` epochs; by Prechelt's
        criteria (:class:`skaudio_ad.training.Prechelt`); or never. An instance, such as
        ``Prechelt(progress=5)``, brings its own limits. The weights of the best epoch are kept in every case. With
        the defaults, all of the published system's 10 epochs are run.

    n_iter_no_change : int, default=10
        Epochs to wait, as in scikit-learn's multi-layer perceptron.

    tol : float, default=1e-4
        Smallest relative improvement of the loss that counts.

    validation_fraction : float, default=0.15
        Fraction of the clips, normal like all of them, held out of training to stop it early and to set
        ``offset_``, as in :class:`AutoencoderDetector`. 0 holds out none, and then the training loss and the
        training scores are used instead, which flatter the model.

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
        The trained network, with ``encoder``, ``decoder`` and ``output``.

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
        Bins of a spectrogram, or frames of a curve.

    n_samples_fit_ : int
        Clips trained on or held out.

    window_length_ : int
        Frames a window, as fitted. A clip of n frames has ``n - window_length_ + 1`` windows.

    References
    ----------
    .. [1] The published comparison of next-frame prediction by LSTM and window reconstruction by GRU on machine
       sounds. That the decoder is fed the code at every step is from K. Cho et al., "Learning phrase representations
       using RNN encoder-decoder for statistical machine translation", EMNLP 2014.

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
    >>> detector.predict(X[40:, :, ::-1]).tolist()  # the same frames, backwards
    [-1]
    """

    def __init__(
        self,
        *,
        window_length=10,
        cell="gru",
        n_layers=2,
        hidden_size=256,
        time_pooling="mean",
        time_quantile=0.95,
        max_epochs=10,
        batch_size=64,
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

    def reconstruct(self, X):
        """What the autoencoder makes of every clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins, n_frames) or (n_clips, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of the same shape, or list
            A frame that several windows cover is the mean of their reconstructions.
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
