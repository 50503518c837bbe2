"""Recurrent networks on windows of frames."""

import torch
from torch import nn

_CELLS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class SequencePredictor(nn.Module):
    """Predicts the frames after a window: a recurrent network, and a linear layer on its last hidden state.

    Parameters
    ----------
    n_bins : int
        Length of a frame.
    n_predicted_frames : int
    cell : {"lstm", "gru"}
    n_layers : int
        Recurrent layers, one on the other.
    hidden_size : int
        Length of the hidden state of each.
    """

    def __init__(self, n_bins, *, n_predicted_frames, cell, n_layers, hidden_size):
        super().__init__()
        self.n_predicted_frames = n_predicted_frames
        self.recurrent = _CELLS[cell](n_bins, hidden_size, n_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, n_predicted_frames * n_bins)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Predict (n_windows, n_predicted_frames, n_bins) from windows (n_windows, length, n_bins)."""
        states, _ = self.recurrent(windows)
        return self.output(states[:, -1]).unflatten(1, (self.n_predicted_frames, -1))


class SequenceAutoencoder(nn.Module):
    """Recurrent autoencoder of windows, whose decoder is as deep and as wide as its encoder.

    The code of a window is the last hidden state of the encoder's last layer. The decoder starts from zeros and
    gets the code at every step; a linear layer turns each of its hidden states into a frame.

    Parameters
    ----------
    n_bins : int
        Length of a frame.
    cell : {"lstm", "gru"}
    n_layers : int
        Recurrent layers of the encoder, and as many of the decoder.
    hidden_size : int
        Length of the hidden state of each, and of the code.
    """

    def __init__(self, n_bins, *, cell, n_layers, hidden_size):
        super().__init__()
        self.encoder = _CELLS[cell](n_bins, hidden_size, n_layers, batch_first=True)
        self.decoder = _CELLS[cell](hidden_size, hidden_size, n_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, n_bins)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Reconstruct windows, of shape (n_windows, length, n_bins)."""
        states, _ = self.encoder(windows)
        states, _ = self.decoder(states[:, -1:].expand_as(states))
        return self.output(states)
