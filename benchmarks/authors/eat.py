"""EAT as its authors publish it: https://github.com/cwx-worst-one/EAT, commit 06c1c34e2a, in the folder "eat".

The network is that of ``models/EAT_pretraining.py``, with ``images.py``, ``base.py``, ``mae.py`` and ``modules.py``
of the same folder. SSLAM has the same files. The code needs omegaconf, and fairseq, which no longer installs.
Stand-ins take the place of both packages: the base classes are plain ones, and functions for training, which nothing
calls here, are missing. The classifier is that of ``models/EAT_audio_classification.py``, two layers that this module
applies itself. Waveforms become spectrograms as in ``feature_extract/feature_extract.py``.

The recorded network has 3 blocks of 96 values with 4 heads and 5 classes, the weights of :func:`small_state`, and the
authors' own table of positions. The waveforms are two of :func:`seeded_waveforms`, of 10, 5 and 1 s.
"""

import dataclasses
import sys
import types
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any
from unittest import mock

import torch

from . import import_from
from .seeded import seeded_state_dict, seeded_waveforms

COMMIT = "06c1c34e2a"
SAMPLE_RATE = 16_000
#: Sizes of the recorded network.
SMALL = {"size": 96, "depth": 3, "heads": 4, "n_classes": 5}
#: Number of frames that the authors pad a clip to, by its length in seconds.
TARGET_LENGTHS = {10: 1024, 5: 512, 1: 128}
_ENCODER = "modality_encoders.IMAGE."


def framework_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict with the names of our network as a file of the training framework has the tensors.

    Parameters
    ----------
    state : mapping of str to tensor

    Returns
    -------
    dict of str to torch.Tensor
    """
    renamed = {}
    for name, value in state.items():
        if name.startswith(("blocks.", "fc_norm.", "head.")):
            renamed[name] = value
        else:
            renamed[_ENCODER + name.replace("pre_norm.", "context_encoder.norm.")] = value
    return renamed


def network(state: Mapping[str, torch.Tensor], heads: int) -> torch.nn.Module:
    """The authors' network with given weights.

    Parameters
    ----------
    state : mapping of str to tensor
        Weights with the names of our network. The authors' own table of positions is taken where the table is missing.
    heads : int

    Returns
    -------
    torch.nn.Module
    """
    size = state["extra_tokens"].shape[2]
    depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    code = _import()
    # As in config/pretraining_AS2M.yaml, without the decoder.
    image = code.D2vImageConfig(
        in_chans=1,
        embed_dim=size,
        prenet_depth=0,
        num_extra_tokens=1,
        init_extra_token_zero=False,
        decoder=None,
    )
    config = code.Data2VecMultiConfig(
        depth=depth,
        embed_dim=size,
        num_heads=heads,
        encoder_dropout=0,
        post_mlp_drop=0,
        attention_dropout=0,
        modalities=code.D2vModalitiesConfig(image=image),
        supported_modality=code.Modality.IMAGE,
        mae_init=True,  # else fairseq initialises the weights
    )
    made = code.Data2VecMultiModel(config, [code.Modality.IMAGE], skip_ema=True).eval()
    encoder = {name: value for name, value in state.items() if not name.startswith(("fc_norm.", "head."))}
    missing, unexpected = made.load_state_dict(framework_names(encoder), strict=False)
    assert not unexpected, unexpected
    assert set(missing) <= {f"{_ENCODER}fixed_positional_encoder.positions"}, missing
    return made


def spectrograms(waveforms: torch.Tensor, target_length: int) -> torch.Tensor:
    """Spectrograms as the authors' feature extraction makes them, (n_clips, target_length, 128)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchaudio, on its end of life
        from torchaudio.compliance import kaldi

    made = []
    for waveform in waveforms:
        mel = kaldi.fbank(
            (waveform - waveform.mean())[None],
            htk_compat=True,
            sample_frequency=SAMPLE_RATE,
            use_energy=False,
            window_type="hanning",
            num_mel_bins=128,
            dither=0.0,
            frame_shift=10,
        )
        mel = torch.nn.functional.pad(mel, (0, 0, 0, target_length - len(mel)))
        made.append((mel + 4.268) / (4.569 * 2))
    return torch.stack(made)


def tokens_of_blocks(made: torch.nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    """CLS and patches behind every block, (n_clips, n_tokens, size), of spectrograms of :func:`spectrograms`."""
    states: list[torch.Tensor] = []
    hooks = [
        block.register_forward_hook(lambda block, inputs, output: states.append(output[0]))
        for block in made.blocks
    ]
    with torch.no_grad():
        last = made.extract_features(inputs[:, None], remove_extra_tokens=False)["x"]
    for hook in hooks:
        hook.remove()
    assert torch.equal(last, states[-1])
    return states


def logits(state: Mapping[str, torch.Tensor], cls: torch.Tensor) -> torch.Tensor:
    """Logits of the token CLS, (n_clips, size)."""
    functional = torch.nn.functional
    normalised = functional.layer_norm(
        cls, cls.shape[1:], state["fc_norm.weight"], state["fc_norm.bias"], eps=1e-6
    )
    return functional.linear(normalised, state["head.weight"], state["head.bias"])


def small_state() -> dict[str, torch.Tensor]:
    """Weights of the recorded network, with the names of our network and without the table of positions."""
    from skaudio_ad.networks import EAT

    with torch.device("meta"):
        shapes = EAT(**SMALL).state_dict()
    del shapes["fixed_positional_encoder.positions"]
    return seeded_state_dict(shapes)


def numbers() -> dict[str, Any]:
    """Outputs of the small network, for :mod:`benchmarks.authors.record`."""
    state = small_state()
    made = network(state, SMALL["heads"])
    outputs = {"positions": made.modality_encoders["IMAGE"].fixed_positional_encoder.positions.numpy()}
    for seconds, target_length in TARGET_LENGTHS.items():
        waveforms = seeded_waveforms(seconds * SAMPLE_RATE, SAMPLE_RATE)
        n_frames = 1 + (waveforms.shape[1] - 400) // 160
        inputs = spectrograms(waveforms, target_length)
        states = tokens_of_blocks(made, inputs)
        outputs |= {
            f"spectrogram, {seconds} s": inputs[:, :n_frames].transpose(1, 2).numpy(),
            f"clip, {seconds} s": states[-1][:, 0].numpy(),
            f"tokens, {seconds} s": states[-1][:, : 1 + n_frames // 16 * 8].transpose(1, 2).numpy(),
            f"clip of block 2, {seconds} s": states[1][:, 0].numpy(),
            f"logits, {seconds} s": logits(state, states[-1][:, 0]).numpy(),
        }
    return {"commit": COMMIT, "outputs": outputs}


def _import() -> Any:
    """The module of the authors' network, imported with stand-ins for fairseq and omegaconf."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of timm, on names that have moved
        import timm.models.layers
        import timm.models.vision_transformer  # noqa: F401

        names = {
            "omegaconf": {"II": lambda name: None, "MISSING": None},
            "fairseq": {},
            "fairseq.data": {},
            "fairseq.data.data_utils": {"compute_mask_indices": None},
            "fairseq.dataclass": {"FairseqDataclass": object},
            "fairseq.models": {"BaseFairseqModel": torch.nn.Module, "register_model": _unregistered},
            "fairseq.models.wav2vec": {},
            "fairseq.models.wav2vec.wav2vec2": {"TransformerSentenceEncoderLayer": None},
            "fairseq.modules": dict.fromkeys(
                (
                    "EMAModule",
                    "EMAModuleConfig",
                    "GradMultiply",
                    "LayerNorm",
                    "SamePad",
                    "SamePad2d",
                    "TransposeLast",
                )
            ),
            "fairseq.tasks": {"FairseqTask": object},
            "fairseq.utils": {"index_put": None},
        }
        stand_ins = {}
        for name, attributes in names.items():
            stand_ins[name] = types.ModuleType(name)
            vars(stand_ins[name]).update(attributes)
        # The authors' dataclasses are defaults of each other, which Python 3.11 takes of hashable classes only.
        hashable = partial(dataclasses.dataclass, unsafe_hash=True)
        with mock.patch.dict(sys.modules, stand_ins), mock.patch("dataclasses.dataclass", hashable):
            return import_from("eat", "models.EAT_pretraining")


def _unregistered(name: str, dataclass: Any = None) -> Any:
    return lambda model: model
