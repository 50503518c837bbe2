"""Dasheng, a transformer that learnt to fill in masked spectrograms of 272 000 hours of sound."""

from collections.abc import Iterable, Sequence

import torch

from ._decibel_mel import CEDFrontEnd
from ._mel_transformer import MelTransformer

_PATCH = 4
# Number of patches in time that the position embeddings cover: 10.08 s.
_MAX_COLUMNS = 252


class Dasheng(MelTransformer):
    """Dasheng, a vision transformer on the spectrograms of :class:`CEDFrontEnd`.

    Patches have all 64 bands and 4 frames, and do not overlap, so a token is a frame of 40 ms. There is no class token.
    The state dict has the names of the checkpoints on the Hugging Face hub, without the prefix "encoder.".

    Parameters
    ----------
    size : int, default=768
        Number of values of a token: 768 (base), 1280 (0.6B) or 1536 (1.2B).
    heads : int, default=12
        Number of heads of the attention: 12, 16 or 24.
    depth : int, default=12
        Number of transformer blocks: 12, 32 or 40.
    n_classes : int, default=0
        Number of logits. AudioSet has 527 classes. 0 is a network without a classifier, which is self-supervised.
    layers : sequence of int or None, default=None
        Numbers of blocks, counted from 1, whose states make the outputs. The states are not normalised, those of
        several blocks stand one after the other, and there are no logits. The network has no block behind the highest
        number. None is the last block, normalised.

    Attributes
    ----------
    embedding_size : int
        Number of values of the clip embedding: `size` for every block of `layers`.
    min_frames, max_frames : int
        Minimum and maximum number of frames of a spectrogram: 4 and 1011.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    Dinkel et al., "Scaling up masked audio encoder learning for general audio classification", Interspeech 2024,
    https://arxiv.org/abs/2406.06992.
    """

    def __init__(
        self,
        *,
        size: int = 768,
        heads: int = 12,
        depth: int = 12,
        n_classes: int = 0,
        layers: Sequence[int] | None = None,
    ):
        super().__init__(
            patch=(CEDFrontEnd.n_mels, _PATCH),
            max_columns=_MAX_COLUMNS,
            size=size,
            heads=heads,
            depth=depth,
            n_classes=n_classes,
            layers=layers,
        )
        self.outputs = ("clip", "frames", *(("logits",) if self.class_layers else ()))

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("clip",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 64, n_frames)
            Spectrograms of :class:`CEDFrontEnd`, with 4 to 1011 frames. Frames after the last whole patch, fewer than
            4, are ignored.
        outputs : str or iterable of str, default=("clip",)
            Names of outputs. ``C`` is `embedding_size` and ``T`` is ``n_frames // 4``:

            - "clip": (n_clips, C), the mean over the frames, the authors' embedding;
            - "frames": (n_clips, C, T), the tokens;
            - "logits": (n_clips, n_classes), before the sigmoid.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, fewer than 4 frames or more than 1011, or an output is unknown.
        """
        return super().forward(spectrograms, outputs)
