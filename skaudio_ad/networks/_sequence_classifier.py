"""Classifiers of sequences of embeddings, whose predictions for the frames are pooled over time."""

from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional


class _StatesOnly(nn.RNNBase):
    """Recurrent layers that return the states alone, and count their own multiply-accumulates."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Compute the states of the last layer, (n_clips, n_frames, hidden_size)."""
        return super().forward(frames)[0]

    def multiply_accumulates(self, states: torch.Tensor) -> int:
        """Number of multiply-accumulates behind `states`: every frame meets every weight once."""
        weights = sum(value.numel() for name, value in self.named_parameters() if name.startswith("weight"))
        return states.shape[0] * states.shape[1] * weights


class _GRU(_StatesOnly, nn.GRU):  # type: ignore[misc]
    """GRU that returns the states alone."""


class _LSTM(_StatesOnly, nn.LSTM):  # type: ignore[misc]
    """LSTM that returns the states alone."""


_CELLS: dict[str, Any] = {"gru": _GRU, "lstm": _LSTM}


class PooledClassifier(nn.Module):
    """Classify every frame of a sequence, and pool the predictions of the frames over time.

    Means are means of probabilities. The network computes with their logarithms, so that no probability rounds to 0.
    The maximum is that of the logits.

    Parameters
    ----------
    n_features : int
        Length of a frame.
    n_classes : int
    head : {"linear", "gru", "lstm"}
        "linear" is a linear layer on every frame. The others are recurrent layers, and a linear layer on every state.
    pooling : {"mean", "max", "attention", "last"}
        "attention" is a mean whose weights are a softmax over time. A second linear layer computes the weights of every
        class.
    hidden_size : int
        Length of the state of every recurrent layer.
    n_layers : int
        Number of stacked recurrent layers.
    multi_label : bool
        Whether the classes are independent of each other (sigmoid). Otherwise a clip has one class (softmax).
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        head: Literal["linear", "gru", "lstm"],
        pooling: Literal["mean", "max", "attention", "last"],
        hidden_size: int,
        n_layers: int,
        multi_label: bool,
    ):
        super().__init__()
        self.pooling, self.multi_label = pooling, multi_label
        self.recurrent: nn.Module = nn.Identity()
        if head != "linear":
            self.recurrent = _CELLS[head](n_features, hidden_size, n_layers, batch_first=True)
        width = n_features if head == "linear" else hidden_size
        self.output = nn.Linear(width, n_classes)
        self.attention = nn.Linear(width, n_classes) if pooling == "attention" else None

    def forward(self, clips: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Classify clips.

        Parameters
        ----------
        clips : torch.Tensor of shape (n_clips, n_features, n_frames)
            Clips that have fewer frames are padded at the end with any finite numbers.
        lengths : torch.Tensor of int of shape (n_clips,), default=None
            Number of frames of every clip. By default no clip is padded.

        Returns
        -------
        torch.Tensor of shape (n_clips, n_classes)
            Logarithms of the probabilities. With `multi_label`, logits: their sigmoids are the probabilities.
        """
        states = self.recurrent(clips.transpose(1, 2))
        logits = self.output(states)
        last = (
            torch.full_like(logits[:, 0, 0], logits.shape[1] - 1).long() if lengths is None else lengths - 1
        )
        is_padding = torch.arange(logits.shape[1], device=logits.device) > last[:, None]
        weights = self._log_weights(states, logits, last, is_padding[..., None])
        if self.pooling == "max":
            pooled = (logits + weights).amax(dim=1)
            return pooled if self.multi_label else functional.log_softmax(pooled, dim=1)
        if self.multi_label:
            present, absent = functional.logsigmoid(logits), functional.logsigmoid(-logits)
            return torch.logsumexp(present + weights, dim=1) - torch.logsumexp(absent + weights, dim=1)
        pooled = torch.logsumexp(functional.log_softmax(logits, dim=2) + weights, dim=1)
        # Means whose weights depend on the class do not sum to 1.
        return functional.log_softmax(pooled, dim=1)

    def classify_frames(self, clips: torch.Tensor) -> torch.Tensor:
        """Compute what :meth:`forward` computes for every frame, before pooling.

        Parameters
        ----------
        clips : torch.Tensor of shape (n_clips, n_features, n_frames)

        Returns
        -------
        torch.Tensor of shape (n_clips, n_classes, n_frames)
        """
        logits = self.output(self.recurrent(clips.transpose(1, 2))).transpose(1, 2)
        return logits if self.multi_label else functional.log_softmax(logits, dim=1)

    def _log_weights(self, states, logits, last, is_padding):
        """Logarithms of the weights of the frames, up to a constant. The weight of padding is 0."""
        if self.pooling == "last":
            is_padding = torch.arange(logits.shape[1], device=logits.device)[:, None] != last[:, None, None]
        if self.attention is None:
            return torch.zeros_like(logits).masked_fill(is_padding, -torch.inf)
        return functional.log_softmax(self.attention(states).masked_fill(is_padding, -torch.inf), dim=1)
