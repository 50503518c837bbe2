"""`SequenceDetector`: base class of the detectors around a recurrent network."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number, check_option
from .._input_checks import check_features
from .._lazy import ClipError
from ._frames import FrameBank, too_short
from ._window_detector import WindowDetector


class SequenceDetector(WindowDetector):
    """Window detector around a recurrent network. A 2-D X holds one curve for every clip, a spectrogram of one bin.

    Subclasses set ``window_length_`` in ``_note_input_kind`` before they call the method of this class. Subclasses also
    extend ``_network_settings``.
    """

    cell: Any
    n_layers: Any
    hidden_size: Any

    def _check_parameters(self):
        check_option(self.cell, "cell", ("lstm", "gru"))
        check_number(self.n_layers, "n_layers", low=1, integer=True)
        check_number(self.hidden_size, "hidden_size", low=1, integer=True)
        super()._check_parameters()

    def _note_input_kind(self, X):
        self._takes_curves = getattr(X, "ndim", 3) == 2
        if not self._takes_curves:
            return self.window_length_
        n_frames = X.shape[1]
        if n_frames < self.window_length_:
            raise ClipError(f"n_features={n_frames}: every curve {too_short(n_frames, self.window_length_)}")
        return 1

    def _network_settings(self, X):
        return {
            "n_bins": 1 if self._takes_curves else self.n_features_in_,
            "cell": self.cell,
            "n_layers": self.n_layers,
            "hidden_size": self.hidden_size,
        }

    def _training_windows(self, X, device):
        # No copy, because a step of a recurrent network takes a thousand times as long as gathering the windows.
        return FrameBank(_as_spectrograms(X), self.window_length_, device, copy=False)

    def _score(self, module, X):
        return super()._score(module, _as_spectrograms(X))

    def _outputs(self, X, first=0):
        """Compute the output of the module for every clip, shaped like X. Frames that no window covers are NaN."""
        X = self._check_input(X)
        made = self._scorer(self.module_).outputs(X, first=first)
        return made[:, 0] if self._takes_curves else made

    def _check_input(self, X):
        check_is_fitted(self)
        # The first check comes before `check_features`, whose message would compare bins with frames. The second check
        # comes after a list has become an array.
        self._check_kind(X, getattr(X, "ndim", None))
        X = check_features(self, X, reset=False)
        self._check_kind(X, getattr(X, "ndim", 3))
        return _as_spectrograms(X)

    def _check_kind(self, X, ndim):
        kinds = {2: "curves, (n_clips, n_frames)", 3: "spectrograms, (n_clips, n_bins, n_frames)"}
        fitted = 2 if self._takes_curves else 3
        if ndim in kinds and ndim != fitted:
            given = f"has shape {X.shape}" if hasattr(X, "shape") else "holds spectrograms"
            raise ValueError(
                f"{type(self).__name__} was fitted on {kinds[fitted]}, but X {given}: pass the same kind, or fit anew."
            )


def _as_spectrograms(X):
    """Convert curves (n_clips, n_frames) to spectrograms of one bin. Other input stays unchanged."""
    return X[:, np.newaxis] if getattr(X, "ndim", 3) == 2 else X
