"""FISHER as its authors run it: https://github.com/jianganbai/FISHER, commit 60dd0c8392, folder "fisher".

The code needs timm and torchaudio. The code also imports einops and omegaconf; stand-ins do what a forward pass needs
of them.
"""

import contextlib
import io
import sys
import tempfile
import types
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.authors import import_from
from benchmarks.authors.seeded import seeded_state_dict, seeded_waveforms

COMMIT = "60dd0c8392"
_PREFIX = "modality_encoders.IMAGE."
# Number of values of a token, and of blocks, of the small network that `numbers` runs.
SMALL_SIZE, SMALL_DEPTH = 128, 3
# Sample rate and order of the patches of every recorded case. At 2000 Hz the spectrogram is narrower than one band.
CASES = {"16k": (16_000, "freq"), "22k": (22_050, "time"), "2k": (2_000, "freq")}


def checkpoint(size, depth, *, band_width=50, flatten="freq", seed=0, table=None):
    """Seeded weights as the authors' files hold them: a dict with "cfg" and "model".

    The table of positions is part of the files. None is the table that the authors' code computes.
    """
    block = {
        "norm1": (size,), "attn.qkv": (3 * size, size), "attn.proj": (size, size),
        "norm2": (size,), "mlp.fc1": (4 * size, size), "mlp.fc2": (size, 4 * size),
    }  # fmt: skip
    shapes = {
        f"{_PREFIX}extra_tokens": (1, 1, size),
        f"{_PREFIX}local_encoder.proj.weight": (size, 1, 16, 16),
        f"{_PREFIX}local_encoder.proj.bias": (size,),
        f"{_PREFIX}context_encoder.norm.weight": (size,),
        f"{_PREFIX}context_encoder.norm.bias": (size,),
    }
    for number in range(depth):
        for layer, shape in block.items():
            shapes[f"blocks.{number}.{layer}.weight"] = shape
            shapes[f"blocks.{number}.{layer}.bias"] = shape[:1]
    cfg = {
        "depth": depth,
        "embed_dim": size,
        "num_heads": size // 64,
        "band_width": band_width,
        "layer_norm_first": False,
        "modalities": {"image": {"embed_dim": size, "band_width": band_width, "flatten": flatten}},
    }
    state = seeded_state_dict(shapes, seed)
    state[f"{_PREFIX}fixed_positional_encoder.positions"] = positions(size) if table is None else table
    return {"cfg": {"model": cfg}, "model": state}


def name_in_file(name):
    """Name of a tensor in the authors' files, from its name in our network."""
    return name if name.startswith("blocks.") else _PREFIX + name


def positions(size):
    """The authors' table of positions, (1, 6400, size)."""
    table = _module("models.mae").get_2d_sincos_pos_embed_flexible(size, (128, 50), cls_token=False)
    return torch.from_numpy(table).float()[None]


def network(content):
    """The authors' network with the weights of a checkpoint, loaded from a file by their own function."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "model.pt"
        torch.save(content, path)
        return _module("models.fisher").FISHER.from_pretrained(path).eval()


def spectrogram(waveform, sample_rate, band_width=50):
    """Input of the authors' network, (1, 1, n_frames, n_bins), for one waveform, as their README computes it.

    The README cuts the spectrogram after 1024 frames, and this function does not.
    """
    import torchaudio

    waveform = (waveform - waveform.mean())[None]
    transform = torchaudio.transforms.Spectrogram(
        n_fft=25 * sample_rate // 1000, hop_length=10 * sample_rate // 1000, power=1, center=False
    )
    values = torch.log(torch.abs(transform(waveform)) + 1e-10).transpose(1, 2)
    values = (values + 3.017344307886898) / (2.1531635155379805 * 2)
    missing = max(0, band_width - values.shape[2])
    return torch.nn.functional.pad(values, (0, missing))[:, None]


def run(model, waveforms, sample_rate):
    """Outputs of the authors' network for waveforms of one length.

    Returns
    -------
    clip : ndarray of shape (n_clips, n_bands * size)
    tokens : list of ndarray of shape (n_clips, n_bands, 1 + n_patches, size)
        States after every block, in the order of the authors' sequences.
    """
    clips, states = [], []
    with torch.no_grad():
        for waveform in waveforms:
            values = spectrogram(waveform, sample_rate, model.cfg.band_width)
            with _states(model.blocks) as after:
                clips.append(model.extract_features(values)[0])
            states.append(torch.stack(after))
    return torch.stack(clips).numpy(), [layer.numpy() for layer in torch.stack(states, dim=1)]


def run_long(model, waveform, sample_rate):
    """Embedding of a long waveform: the mean over pieces of 1024 frames. The last piece ends the spectrogram.

    The comparison of encoders SIREN (https://github.com/yucongzh/SIREN, commit f9fa43e5e5) does so in its example for
    FISHER.
    """
    values = spectrogram(waveform, sample_rate, model.cfg.band_width)
    pieces = list(values.split(1024, dim=2))
    if values.shape[2] % 1024:
        pieces[-1] = values[:, :, -1024:]
    with torch.no_grad():
        return torch.stack([model.extract_features(piece)[0] for piece in pieces]).mean(dim=0).numpy()


@contextlib.contextmanager
def _states(blocks):
    """The list of what comes out of the blocks while the context is open."""
    after = []
    hooks = [
        block.register_forward_hook(lambda module, inputs, output: after.append(output[0]))
        for block in blocks
    ]
    yield after
    for hook in hooks:
        hook.remove()


def long_waveform():
    """24.3 s at 2000 Hz, whose spectrogram has two whole pieces of 1024 frames and a part of a third one."""
    return seeded_waveforms(48_609, 2_000, 1)[0]


def numbers():
    """Recorded outputs: two waveforms of 1.1 s of :func:`seeded_waveforms`, and a network with seed 0."""
    outputs = {"positions": positions(SMALL_SIZE).numpy()}
    for name, (sample_rate, flatten) in CASES.items():
        model = network(checkpoint(SMALL_SIZE, SMALL_DEPTH, flatten=flatten))
        waveforms = seeded_waveforms(round(1.1 * sample_rate), sample_rate)
        clip, states = run(model, waveforms, sample_rate)
        outputs[f"clip_{name}"] = clip
        outputs[f"tokens_{name}"] = states[-1]
        outputs[f"tokens_{name}_block1"] = states[0]
    # 24.3 s at 2000 Hz, with the network and the rate of the last case.
    outputs["long_2k"] = run_long(model, long_waveform(), 2_000)
    return {"repository": "jianganbai/FISHER", "commit": COMMIT, "outputs": outputs}


def _rearrange(values, pattern, **sizes):
    """The two patterns of einops that a forward pass has."""
    if pattern == "nb B c t f -> (B nb) c t f":
        return values.transpose(0, 1).flatten(0, 1)
    if pattern == "(B nb) D -> B (nb D)":
        return values.reshape(-1, sizes["nb"] * values.shape[1])
    raise NotImplementedError(pattern)


def _module(name):
    stand_ins = {"einops": {"rearrange": _rearrange}, "omegaconf": {"II": str, "MISSING": "???"}}
    missing = {stand_in for stand_in in stand_ins if find_spec(stand_in) is None}
    for stand_in in missing:
        sys.modules[stand_in] = types.ModuleType(stand_in)
        vars(sys.modules[stand_in]).update(stand_ins[stand_in])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # timm has moved its layers
            return import_from("fisher", name)
    finally:
        for stand_in in missing:
            del sys.modules[stand_in]
