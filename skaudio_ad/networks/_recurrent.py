"""Recurrent networks on windows of frames."""

from typing import Any, Literal

import torch
from torch import nn

_CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}


class SequencePredictor(nn.Module):
    """Predict the frames after a window: a recurrent network, and a linear layer on its last hidden state.

    Parameters
    ----------
    n_bins : int
        Length of a frame.
    n_predicted_frames : int
    cell : {"lstm", "gru"}
    n_layers : int
        Number of stacked recurrent layers.
    hidden_size : int
        Length of the hidden state of every layer.
    """

    def __init__(
        self,
        n_bins: int,
        *,
        n_predicted_frames: int,
        cell: Literal["lstm", "gru"],
        n_layers: int,
        hidden_size: int,
    ):
        super().__init__()
        self.n_predicted_frames = n_predicted_frames
        self.recurrent = _CELLS[cell](n_bins, hidden_size, n_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, n_predicted_frames * n_bins)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Predict (n_windows, n_predicted_frames, n_bins) from windows (n_windows, length, n_bins)."""
        states, _ = self.recurrent(windows)
        return self.output(states[:, -1]).unflatten(1, (self.n_predicted_frames, -1))


class SequenceAutoencoder(nn.Module):
    """Recurrent autoencoder of windows. The decoder has the depth and the width of the encoder.

    The code of a window is the last hidden state of the last layer of the encoder. The decoder starts from zeros and
    gets the code at every step. A linear layer maps every hidden state of the decoder to a frame.

    Parameters
    ----------
    n_bins : int
        Length of a frame.
    cell : {"lstm", "gru"}
    n_layers : int
        Number of stacked recurrent layers of the encoder. The decoder has the same number.
    hidden_size : int
        Length of the hidden state of every layer, and of the code.
    """

    def __init__(self, n_bins: int, *, cell: Literal["lstm", "gru"], n_layers: int, hidden_size: int):
        super().__init__()
        self.encoder = _CELLS[cell](n_bins, hidden_size, n_layers, batch_first=True)
        self.decoder = _CELLS[cell](hidden_size, hidden_size, n_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, n_bins)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Reconstruct windows, of shape (n_windows, length, n_bins)."""
        states, _ = self.encoder(windows)
        states, _ = self.decoder(states[:, -1:].expand_as(states))
        return self.output(states)
