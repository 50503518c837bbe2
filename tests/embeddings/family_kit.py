"""What the tests of every family need: a small network, its files of weights, and its numbers without the engine."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

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
    rate : int
        Sample rate of the clips, in hertz.
    network, front_end : torch.nn.Module
        The network as it was built, without anything that is done for speed.
    path : pathlib.Path
        File of the weights, as ``torch.save`` writes a state dict.
    """

    def __init__(self, name, folder):
        self.name, self.backbone, self.family = name, SMALL[name], get_family(name)
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
        """Outputs of one waveform by front end and network themselves: a dict, or an array for one name."""
        names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        with torch.no_grad():
            made = self.network(
                self.front_end(torch.from_numpy(np.array(clip, dtype=np.float32))[None]), names
            )
        made = {name: values[0].numpy() for name, values in made.items()}
        return made[outputs] if isinstance(outputs, str) else made

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
    with torch.device("meta"):
        network = family.build_network(backbone)
    network = network.to_empty(device="cpu").eval().requires_grad_(False)
    network.load_state_dict(seeded_state_dict(network.state_dict()), strict=True)
    return network


def state_of(backbone):
    """State dict of the network of a backbone, with names and shapes and without values."""
    with torch.device("meta"):
        return get_family(backbone.family).build_network(backbone).state_dict()


def other_settings(backbone):
    """Settings of which each makes a network of other shapes, in pairs of name and value."""
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
    """Contents of files of weights as the authors and others write them, each with the end of its file's name."""
    yield "state_dict.pt", dict(state)
    yield "state_dict.safetensors", dict(state)
    if name in ("ced", "dasheng"):
        in_blocks = {each: f"encoder.{each}" for each in state if not each.startswith("outputlayer.")}
        yield "hub.safetensors", {in_blocks.get(each, each): value for each, value in state.items()}
        zenodo = {each.replace("init_bn.", "init_bn.1."): value for each, value in state.items()}
        zenodo["front_end.0.spectrogram.window"] = torch.ones(512)
        zenodo["front_end.0.mel_scale.fb"] = torch.ones(257, 64)
        yield "zenodo.pt", zenodo
        yield "nested.pt", {"model": zenodo, "config": {"depth": 2}}
