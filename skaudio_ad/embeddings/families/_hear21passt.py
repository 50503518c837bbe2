"""PaSST as its authors run it, by their package hear21passt."""

import threading
import warnings
from typing import TYPE_CHECKING, Any

from ...training import drawing_from
from .._engine import names_of, one_or_all

if TYPE_CHECKING:
    import torch


class Hear21PaSSTRuntime:
    """Network and front end of the package hear21passt, without what they print and warn of.

    Parameters
    ----------
    network : PaSST
        Network whose weights the authors' network takes over.
    device : str
    """

    def __init__(self, network: Any, device: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from hear21passt.models import passt
            from hear21passt.models.preprocess import AugmentMelSTFT
        # If this switch is on, the first pass of a process prints nine kilobytes.
        passt.first_RUN = False
        with drawing_from(0):  # the constructor draws weights, which are then replaced
            self.network = passt.PaSST(
                stride=network.patch_embed["proj"].stride,
                depth=len(network.blocks),
                num_classes=network.head[1].out_features,
                distilled=True,
            )
        self.network.load_state_dict(network.state_dict(), strict=True)
        self.network.to(device).eval().requires_grad_(False)
        # The values of the authors' get_basic_model. They write 15 000 Hz as None, and then the front end prints it.
        self.log_mel = (
            AugmentMelSTFT(
                n_mels=128, sr=32000, win_length=800, hopsize=320, n_fft=1024, freqm=48, timem=192,
                htk=False, fmin=0.0, fmax=15_000, norm=1, fmin_aug_range=10, fmax_aug_range=2000,
            )
            .to(device)
            .eval()
        )  # fmt: skip
        self._lock = threading.Lock()

    def front_end(self, waveforms: "torch.Tensor") -> "torch.Tensor":
        """Spectrograms, (n_windows, 128, n_frames), of waveforms, (n_windows, n_samples)."""
        # The front end draws random limits of its mel bank in every call, although it does not use them here.
        with self._lock, warnings.catch_warnings(), drawing_from(0):
            warnings.simplefilter("ignore")  # the front end uses an old name of torch's autocast
            return self.log_mel(waveforms)

    def __call__(self, spectrograms: "torch.Tensor", output: str | tuple[str, ...]) -> Any:
        """Outputs of spectrograms, (n_windows, 128, n_frames)."""
        tokens: list[torch.Tensor] = []
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the network warns of every spectrogram that has not 998 frames
            hook = self.network.norm.register_forward_hook(lambda module, inputs, made: tokens.append(made))
            try:
                logits, clip = self.network(spectrograms[:, None])
            finally:
                hook.remove()
        made = tokens[0].transpose(1, 2)
        grid = made[:, :, 2:].unflatten(2, (self.network.freq_new_pos_embed.shape[2], -1))
        outputs = {
            "clip": clip,
            "class_token": made[:, :, 0],
            "distillation_token": made[:, :, 1],
            "tokens": made,
            "patch_mean": grid.mean((2, 3)),
            "frames": grid.mean(2),
            "grid": grid,
            "logits": logits,
        }
        return one_or_all({name: outputs[name].cpu().numpy() for name in names_of(output)}, output)
