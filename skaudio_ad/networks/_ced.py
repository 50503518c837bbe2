"""CED, transformers for audio tagging that an ensemble of larger transformers taught on AudioSet."""

from collections.abc import Iterable, Sequence

import torch

from ._mel_transformer import MelTransformer

_PATCH = 16
# Number of patches in time that the position embeddings cover: 10.08 s.
_MAX_COLUMNS = 63


class CED(MelTransformer):
    """CED, a vision transformer on the spectrograms of :class:`CEDFrontEnd`.

    Patches have 16 bands and 16 frames, and do not overlap. There is no class token. The state dict has the names of
    the checkpoints on the Hugging Face hub, without the prefix "encoder.".

    Parameters
    ----------
    size : int, default=768
        Number of values of a token: 192 (tiny), 256 (mini), 384 (small) or 768 (base).
    heads : int, default=12
        Number of heads of the attention: 3, 4, 6 or 12.
    depth : int, default=12
        Number of transformer blocks.
    n_classes : int, default=527
        Number of logits. AudioSet has 527 classes. 0 is a network without a classifier.
    layers : sequence of int or None, default=None
        Numbers of blocks, counted from 1, whose states make the outputs. The states are not normalised, those of
        several blocks stand one after the other, and there are no logits. The network has no block behind the highest
        number. None is the last block, normalised.

    Attributes
    ----------
    embedding_size : int
        Number of values of the clip embedding: `size` for every block of `layers`.
    min_frames, max_frames : int
        Minimum and maximum number of frames of a spectrogram: 16 and 1023.
    outputs : tuple of str
        Names of the outputs of :meth:`forward`.

    References
    ----------
    Dinkel et al., "CED: Consistent ensemble distillation for audio tagging", ICASSP 2024,
    https://arxiv.org/abs/2308.11957.
    """

    def __init__(
        self,
        *,
        size: int = 768,
        heads: int = 12,
        depth: int = 12,
        n_classes: int = 527,
        layers: Sequence[int] | None = None,
    ):
        super().__init__(
            patch=(_PATCH, _PATCH),
            max_columns=_MAX_COLUMNS,
            size=size,
            heads=heads,
            depth=depth,
            n_classes=n_classes,
            layers=layers,
        )
        self.outputs = ("clip", "frames", "grid", "tokens", *(("logits",) if self.class_layers else ()))

    def forward(
        self, spectrograms: torch.Tensor, outputs: Iterable[str] = ("clip",)
    ) -> dict[str, torch.Tensor]:
        """Compute the requested outputs in one pass.

        Parameters
        ----------
        spectrograms : torch.Tensor of shape (n_clips, 64, n_frames)
            Spectrograms of :class:`CEDFrontEnd`, with 16 to 1023 frames. Frames after the last whole patch, fewer than
            16, are ignored.
        outputs : str or iterable of str, default=("clip",)
            Names of outputs. ``C`` is `embedding_size` and ``T`` is ``n_frames // 16``:

            - "clip": (n_clips, C), the mean over all patches, the authors' embedding;
            - "frames": (n_clips, C, T), the mean over the four rows of patches;
            - "grid": (n_clips, C, 4, T), the patches, low frequencies first;
            - "tokens": (n_clips, C, 4 * T), the patches, row by row, each in order of time;
            - "logits": (n_clips, n_classes), before the sigmoid.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If the spectrograms have another shape, fewer than 16 frames or more than 1023, or an output is unknown.
        """
        return super().forward(spectrograms, outputs)
