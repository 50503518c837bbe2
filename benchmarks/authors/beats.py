"""BEATs and OpenBEATs as their authors publish them.

BEATs is https://github.com/microsoft/unilm, commit 768a3c873f: the files of its folder ``beats`` in the folder "beats".
OpenBEATs is the package openbeats 0.1.1 of PyPI, unpacked in the folder "openbeats".

The recorded networks have 3 blocks of 96 values with 3 heads and 5 classes, and the weights of :func:`authors_state`.
The waveforms are two of :func:`seeded_waveforms`, of 10 and 1 s, and one of 20 s, because distances above 800 tokens
begin at 16 s.

``python -m benchmarks.authors.beats`` times the authors' network of full size and ours, both with random weights, for
one clip of 10 s on one thread.
"""

import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import torch

from . import import_from
from .seeded import seeded_state_dict, seeded_waveforms

COMMIT = "768a3c873f"
SAMPLE_RATE = 16_000
#: Sizes of the recorded networks.
SMALL = {"size": 96, "depth": 3, "heads": 3, "n_classes": 5}
#: Number of clips by their length in seconds.
CLIPS = {20: 1, 10: 2, 1: 2}
_TABLE = "self_attn.relative_attention_bias.weight"


def configuration(size: int, depth: int, heads: int, n_classes: int = 0) -> dict[str, Any]:
    """The entry "cfg" of a file of the authors."""
    return {
        "input_patch_size": 16,
        "embed_dim": 512,
        "conv_bias": False,
        "encoder_layers": depth,
        "encoder_embed_dim": size,
        "encoder_ffn_embed_dim": 4 * size,
        "encoder_attention_heads": heads,
        "activation_fn": "gelu",
        "layer_norm_first": False,
        "deep_norm": True,
        "conv_pos": 128,
        "conv_pos_groups": 16,
        "relative_position_embedding": True,
        "num_buckets": 320,
        "max_distance": 800,
        "gru_rel_pos": True,
        **({"finetuned_model": True, "predictor_class": n_classes} if n_classes else {}),
    }


def authors_state(size: int, depth: int, heads: int, n_classes: int = 0) -> dict[str, torch.Tensor]:
    """Random weights with the names and shapes of the authors' file.

    The tables of relative positions and the gates are large, because small ones would hide an error.
    """
    from skaudio_ad.networks import BEATs

    with torch.device("meta"):
        shapes = dict(BEATs(size=size, depth=depth, heads=heads, n_classes=n_classes).state_dict())
    convolution, table = shapes.pop("encoder.pos_conv.0.weight"), f"encoder.layers.0.{_TABLE}"
    shapes["encoder.pos_conv.0.weight_v"] = convolution[:, :, 0]
    shapes["encoder.pos_conv.0.weight_g"] = torch.empty(1, 1, convolution.shape[3], device="meta")
    state = seeded_state_dict(shapes)
    state[table] *= 8
    for block in range(depth):
        state[f"encoder.layers.{block}.{_TABLE}"] = state[table]
        gates = state[f"encoder.layers.{block}.self_attn.grep_a"]
        state[f"encoder.layers.{block}.self_attn.grep_a"] = 1 + 3 * gates
    return state


def network(state: Mapping[str, torch.Tensor], **sizes: int) -> torch.nn.Module:
    """The authors' network of BEATs with given weights.

    Parameters
    ----------
    state : mapping of str to tensor
        Weights with the authors' names.
    **sizes : int
        As for :func:`configuration`.

    Returns
    -------
    torch.nn.Module
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchaudio, and of torch on an old function
        code = import_from("beats", "BEATs")
        made = code.BEATs(code.BEATsConfig(configuration(**sizes))).eval()
    made.load_state_dict(dict(state), strict=True)
    return made


def open_network(state: Mapping[str, torch.Tensor], **sizes: int) -> torch.nn.Module:
    """The authors' network of OpenBEATs with given weights, as :func:`network`. It has no classifier."""
    # The encoder needs transformers for adapters alone. A stand-in saves the time of the import.
    stand_in = types.ModuleType("transformers")
    with warnings.catch_warnings(), mock.patch.dict(sys.modules, {"transformers": stand_in}):
        warnings.simplefilter("ignore")
        code = import_from("openbeats", "openbeats.beats_encoder")
        made = code.BeatsEncoder(input_size=0, beats_config=configuration(**sizes)).eval()
    encoder = {name: value for name, value in state.items() if not name.startswith("predictor.")}
    missing, unexpected = made.load_state_dict(encoder, strict=False)
    assert not unexpected, unexpected
    assert set(missing) == {"patch_embedding_pad.weight", "raw2fbank_pad.weight"}, missing
    return made


def tokens_of_blocks(made: torch.nn.Module, waveforms: torch.Tensor) -> list[torch.Tensor]:
    """Tokens behind every block, (n_clips, n_tokens, size), of waveforms, (n_clips, n_samples)."""
    states: list[torch.Tensor] = []
    hooks = [
        block.register_forward_hook(
            lambda block, inputs, output: states.append(output[0].transpose(0, 1).clone())
        )
        for block in made.encoder.layers
    ]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of OpenBEATs, on old names
        if hasattr(made, "predictor"):
            made.extract_features(waveforms)
        else:
            made(waveforms, torch.full((len(waveforms),), waveforms.shape[1]), waveform_input=True)
    for hook in hooks:
        hook.remove()
    return states


def logits(made: torch.nn.Module, waveforms: torch.Tensor) -> torch.Tensor:
    """Logits of waveforms: the authors return probabilities."""
    with torch.no_grad():
        return made.extract_features(waveforms)[0].double().logit()


def numbers() -> dict[str, Any]:
    """Outputs of the small networks, for :mod:`benchmarks.authors.record`."""
    state = authors_state(**SMALL)
    made, opened = network(state, **SMALL), open_network(state, **SMALL)
    outputs = {}
    for seconds, n_clips in CLIPS.items():
        waveforms = seeded_waveforms(seconds * SAMPLE_RATE, SAMPLE_RATE, n_clips)
        states = tokens_of_blocks(made, waveforms)
        outputs |= {
            f"spectrogram, {seconds} s": made.preprocess(waveforms).transpose(1, 2).numpy(),
            f"tokens, {seconds} s": states[-1].transpose(1, 2).numpy(),
            f"tokens of block 2, {seconds} s": states[1].transpose(1, 2).numpy(),
            f"clip, {seconds} s": states[-1].mean(1).numpy(),
            f"logits, {seconds} s": logits(made, waveforms).numpy(),
            f"OpenBEATs' tokens, {seconds} s": tokens_of_blocks(opened, waveforms)[-1]
            .transpose(1, 2)
            .numpy(),
        }
    return {"commit": COMMIT, "outputs": outputs}


def processor_times(calls: Mapping[str, Callable[[], Any]], repeats: int = 7) -> dict[str, list[float]]:
    """Processor times of every call, in seconds. The calls take turns, so that other programs disturb all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return times


def main() -> None:
    """Time the authors' network and ours, and mn10."""
    from skaudio_ad.networks import AudioSetFrontEnd, BEATs, BEATsFrontEnd, MobileNet, for_inference
    from skaudio_ad.networks._beats import beats_state_dict

    torch.set_num_threads(1)
    sizes = {"size": 768, "depth": 12, "heads": 12}
    state = authors_state(**sizes)
    theirs = network(state, **sizes)
    ours = BEATs(**sizes)
    ours.load_state_dict(beats_state_dict(state))
    fast, front_end = for_inference(ours), BEATsFrontEnd()
    five = BEATs(**sizes, layers=(5,))
    first = for_inference(five)
    mobilenet, audioset = for_inference(MobileNet(width=1.0)), AudioSetFrontEnd()
    waveform = seeded_waveforms(10 * SAMPLE_RATE, SAMPLE_RATE, 1)
    at_32_khz = seeded_waveforms(320_000, 32_000, 1)
    with torch.inference_mode():
        times = processor_times(
            {
                "authors": lambda: theirs.extract_features(waveform),
                "BEATs": lambda: fast(front_end(waveform), ("clip",)),
                "BEATs, block 5": lambda: first(front_end(waveform), ("clip",)),
                "mn10": lambda: mobilenet(audioset(at_32_khz), ("clip",)),
                "front end of BEATs": lambda: front_end(waveform),
                "front end of mn10": lambda: audioset(at_32_khz),
            }
        )
    for name, taken in times.items():
        print(f"{name:<20} {1000 * min(taken):7.1f} ms  {min(taken) / min(times['mn10']):5.2f} of mn10")
    ratio = statistics.median(
        theirs / ours for theirs, ours in zip(times["authors"], times["BEATs"], strict=True)
    )
    print(f"The authors' code takes {ratio:.2f} times as long as BEATs, the median of the rounds.")


if __name__ == "__main__":
    main()
