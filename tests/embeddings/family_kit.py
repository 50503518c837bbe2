"""What the tests of every family need: a small network, its files of weights, and its numbers without the engine."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from benchmarks.authors import beats
from benchmarks.authors.seeded import seeded_state_dict
from skaudio_ad.embeddings._registry import get_family

from .family_cases import ESTIMATORS, SMALL

FAMILIES = tuple(SMALL)
LAYERED = tuple(name for name in FAMILIES if "layers" in get_family(name).settings)
OF_ANY_RATE = tuple(name for name in FAMILIES if get_family(name).sample_rate is None)


class Kit:
    """A small network of a family with seeded weights.

    Attributes
    ----------
    name : str
        Name of the family.
    family : Family
    backbone : Backbone
    depth : int or None
        Number of blocks, for a family of blocks.
    rate : int
        Sample rate of the clips, in hertz.
    network, front_end : torch.nn.Module
        The network as it was built, without anything that is done for speed.
    path : pathlib.Path
        File of the weights, as ``torch.save`` writes a state dict.
    """

    def __init__(self, name, folder):
        self.name, self.backbone, self.family = name, SMALL[name], get_family(name)
        self.depth = self.backbone.settings.get("depth")
        self.rate = self.backbone.sample_rate
        self.front_end = self.family.build_front_end(self.backbone).eval()
        self.network = build(self.backbone)
        self.path = folder / self.backbone.filename
        torch.save(self.network.state_dict(), self.path)

    def embedding(self, output="clip", backbone=None, **parameters):
        """The estimator of the family with the small network."""
        backbone = backbone or self.backbone
        return ESTIMATORS[self.name](
            backbone, **{"weights": self.path, "output": output, "device": "cpu", **parameters}
        )

    def outputs(self, *, vectors=None):
        """Names of the outputs of the small network."""
        return self.family.output_names(self.backbone, vectors=vectors)

    def shortest(self):
        """Number of samples of the shortest waveform that the network takes."""
        return self.family.min_samples(self.backbone)

    def direct(self, outputs, clip):
        """Outputs of a clip of one window by front end and network: a dict, or an array for one name."""
        clip = np.pad(self.prepared(clip), (0, max(0, self.shortest() - len(clip))))
        return self.of_window(outputs, clip)

    def of_window(self, outputs, window):
        """Outputs of one window of a clip that is prepared."""
        names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        with torch.no_grad():
            made = self.network(
                self.front_end(torch.from_numpy(np.array(window, dtype=np.float32))[None]), names
            )
        made = {name: values[0].numpy() for name, values in made.items()}
        return made[outputs] if isinstance(outputs, str) else made

    def prepared(self, clip):
        """The clip that windows are cut from."""
        prepare = self.family.prepare_clip
        return clip if prepare is None else prepare(clip, self.backbone)

    def averaged_windows(self, clip, seconds):
        """Windows of a clip whose outputs are averaged."""
        length, step = self.family.window_lengths(self.backbone, seconds)
        return self.family.cut_windows(self.prepared(clip), length, round(self.family.hop_share * step))

    def adjacent_windows(self, clip, seconds):
        """Windows of a clip that lie end to end."""
        length, step = self.family.window_lengths(self.backbone, seconds)
        clip = self.prepared(clip)
        starts = range(0, max(1, len(clip) - (length - step)), step)
        return [
            np.pad(part, (0, max(0, self.shortest() - len(part))))
            for part in (clip[i : i + length] for i in starts)
        ]

    def noise(self, *seconds, seed=0):
        """Noise of these lengths. Every clip has a spectrum and an offset of its own."""
        rng = np.random.default_rng(seed)
        clips = []
        for length in seconds:
            clip = rng.normal(scale=0.05, size=max(1, round(length * self.rate)))
            clips.append((0.01 + np.convolve(clip, rng.normal(size=9), "same")).astype(np.float32))
        return clips

    def with_settings(self, **settings):
        """The small backbone with other settings."""
        return replace(self.backbone, settings={**self.backbone.settings, **settings})


def build(backbone):
    """A network of a backbone with seeded weights, whose biases, norms and tables are large."""
    family = get_family(backbone.family)
    if family.name == "mobilenet":
        # Its fifty convolutions need weights of another scale, or all clips would come out alike.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return family.build_network(backbone).eval().requires_grad_(False)
    with torch.random.fork_rng():
        network = family.build_network(backbone).eval().requires_grad_(False)
    state = seeded_state_dict(network.state_dict())
    if family.name == "echo":  # a file may lack the table of positions, which is then computed
        state["pos_embed"] = network.state_dict()["pos_embed"]
    network.load_state_dict(state, strict=True)
    return network


def state_of(backbone):
    """State dict of the network of a backbone, with names and shapes and without values."""
    with torch.device("meta"):
        return get_family(backbone.family).build_network(backbone).state_dict()


def other_settings(backbone):
    """Pairs of a setting and a value. Each pair makes a network of other shapes."""
    family, settings = get_family(backbone.family), backbone.settings
    if "depth" in family.settings:
        yield "depth", settings["depth"] + 1
    if "n_classes" in family.settings:
        yield "n_classes", 0 if settings.get("n_classes") else 527
    for name in ("size", "width", "stride"):
        values = {variant.settings.get(name) for variant in family.variants} - {settings.get(name), None}
        if name in family.settings and values:
            yield name, sorted(values)[0]


def authors_formats(name: str, state: Mapping[str, torch.Tensor]):
    """Contents of files of weights as the authors and others write them, each with the name of its file."""
    yield "state_dict.pt", dict(state)
    yield "state_dict.safetensors", dict(state)
    constant = {"front_end.0.mel_scale.fb": torch.zeros(3, 2)}
    if name in ("ced", "dasheng"):
        # The files of Zenodo hold constants of the front end, and call the batch normalisation "init_bn.1".
        zenodo = {each.replace("init_bn.", "init_bn.1."): value for each, value in state.items()} | constant
        yield "zenodo.pt", {"model": zenodo, "config": {"depth": 2}}
        hub = {("" if each.startswith("outputlayer") else "encoder.") + each: state[each] for each in state}
        yield "hub.safetensors", hub
    elif name == "eat":
        yield "hub.safetensors", {f"model.{each}": value for each, value in state.items()}
        training = {
            each if each.startswith("blocks.") else f"modality_encoders.IMAGE.{each}": value
            for each, value in state.items()
        }
        training = {each.replace("pre_norm", "context_encoder.norm"): training[each] for each in training}
        decoder = {"modality_encoders.IMAGE.decoder.proj.weight": torch.zeros(2, 2), "_ema": {}}
        yield "training.pt", {"cfg": None, "model": training | decoder}
    elif name == "beats":
        yield "authors.pt", {"cfg": beats.configuration(**SMALL[name].settings), "model": dict(state)}
        yield (
            "espnet.pth",
            {f"encoder.{each}".replace("encoder.predictor", "classifier"): state[each] for each in state},
        )
    elif name == "echo":
        yield "zenodo.pth", {"encoder": dict(state), "model_type": "tiny", "epoch": 3}
        # The authors load their files with strict=False, and the table of positions may be absent.
        yield "hub.safetensors", {each: value for each, value in state.items() if each != "pos_embed"}
    elif name == "fisher":
        names = {key: key if key.startswith("blocks.") else f"modality_encoders.IMAGE.{key}" for key in state}
        theirs = {names[key]: value for key, value in state.items()}
        yield (
            "cfg_and_model.pt",
            {"cfg": {"model": {"band_width": 50, "layer_norm_first": False}}, "model": theirs},
        )
        yield "hub.safetensors", theirs
