"""Transformers of all families: beside the code of their authors, in other runtimes, and in bfloat16.

From one waveform to the embedding "clip", on one thread, in seconds of the processor, because other programs then
disturb the ratios least. All contenders of a backbone have the same seeded random weights of full size, and take turns.

"authors" is the code that the authors published, run as the modules in ``benchmarks/authors`` say. The code is not part
of this package: name the folder of the checkouts in the environment variable `SKAUDIO_AD_AUTHORS`. Without the folder
the contender is left out. MobileNet and PaSST stand beside their authors' code in ``benchmarks.speed.embeddings``.

Errors are relative to torch in float32, by Euclidean norms. The errors of bfloat16 depend on the weights: biases
and norms of seeded weights are larger than those of published ones. On a processor without instructions for bfloat16,
bfloat16 is left out.

Target: BEATs is 1.3 times as fast as its authors' code. The largest error is 1e-5 in float32 and 1e-2 in bfloat16.

Run: ``python -m benchmarks.speed.encoders [--repeats 5] [--seconds 10] [--variants NAME ...]``, about 5 minutes.
"""

import argparse
import time
from dataclasses import replace
from importlib import import_module

import numpy as np

from skaudio_ad.embeddings import BACKBONES, Backbone, get_backbone, get_family
from skaudio_ad.embeddings._backbone_engine import LoadedBackbone, build_on_meta
from skaudio_ad.embeddings._runtimes import check_runtime, make_runtime

from .._report import RESULTS, Report, interleave, one_thread, speed_rows
from ..authors import authors_folder
from ._ratios import lacks_bfloat16, ratio_row
from .embeddings import PACKAGES, largest_error, measurable

SEED = 0
ANY_RATE = 16_000  # sample rate of the clip for a backbone of any rate, in hertz
TORCH = "torch, float32"
TITLE = "One clip at once"
#: Backbones of the full run.
VARIANTS = (
    *("ced_tiny", "ced_base", "echo_tiny", "echo_small", "fisher_small"),
    *("dasheng_base", "eat_base", "beats_iter3"),
)
#: Targets of the ratio to the code of the authors, by family.
TARGETS = {"beats": 1.3}


def contenders(backbone, waveforms):
    """Return functions that embed waveforms with the same weights, the authors' code first where it is there.

    Parameters
    ----------
    backbone : Backbone
        Of a stated sample rate.
    waveforms : ndarray of shape (n_clips, n_samples), float32

    Returns
    -------
    dict of {str: callable}
        Each returns an array of shape (n_clips, n_features).
    left_out : list of str
        Reasons why contenders are missing.
    """
    import torch

    family = get_family(backbone.family)
    made, left_out = {}, []
    try:
        state, theirs = weights(backbone)
    except ModuleNotFoundError as error:
        left_out.append(f"The authors' code of {family.title} needs {error.name}, which is not installed.")
        state, theirs = seeded(backbone), None
    if theirs is not None:
        tensor = torch.from_numpy(waveforms)

        def embed():
            with torch.inference_mode():
                return np.asarray(theirs(tensor))

        made["authors"] = embed
    elif backbone.family in AUTHORS and not left_out:
        left_out.append(f"SKAUDIO_AD_AUTHORS names no folder with the authors' code of {family.title}.")
    for name, (runtime, precision) in measurable().items():
        try:
            check_runtime(runtime, family=family, precision=precision, device="cpu")
        except ValueError as error:
            left_out.append(f"{name}: {error}")
            continue
        network = family.build_network(backbone)
        network.load_state_dict(state, strict=True)
        loaded = LoadedBackbone(
            make_runtime(
                runtime, network, family=family, backbone=backbone, precision=precision, device="cpu"
            ),
            "cpu",
        )
        made[name] = lambda loaded=loaded: loaded.embed(prepared(waveforms, backbone), "clip")
    return made, left_out


def prepared(waveforms, backbone):
    """Return the waveforms as the embedding of a family changes clips before their windows.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples)
    backbone : Backbone

    Returns
    -------
    ndarray of shape (n_clips, n), float32
    """
    prepare = get_family(backbone.family).prepare_clip
    return waveforms if prepare is None else np.stack([prepare(clip, backbone) for clip in waveforms])


def weights(backbone):
    """Return seeded weights of our network, and a function of the authors that embeds with these weights.

    Parameters
    ----------
    backbone : Backbone

    Returns
    -------
    state : dict of {str: Tensor}
    theirs : callable or None
        Maps waveforms, (n_clips, n_samples), to embeddings. None if the authors' code is not on this machine.
    """
    if backbone.family in AUTHORS and authors_folder(backbone.family) is not None:
        content, theirs = AUTHORS[backbone.family](backbone)
        return get_family(backbone.family).read_checkpoint(content, backbone), theirs
    return seeded(backbone), None


def seeded(backbone):
    """Return seeded weights of our network. Tables that are no weights stay as the network computes them.

    Parameters
    ----------
    backbone : Backbone

    Returns
    -------
    dict of {str: Tensor}
    """
    from ..authors.seeded import seeded_state_dict

    network = get_family(backbone.family).build_network(backbone)
    weights = dict(network.named_parameters())
    state = network.state_dict()
    drawn = [name for name in state if name in weights or "running_" in name]
    return {**state, **seeded_state_dict({name: state[name] for name in drawn}, SEED)}


def _authors(family):
    return import_module(f"benchmarks.authors.{family}")


def _sizes(backbone, *names):
    return {name: backbone.settings[name] for name in names}


def _beats(backbone):
    beats, sizes = _authors("beats"), _sizes(backbone, "size", "depth", "heads")
    sizes["n_classes"] = backbone.settings.get("n_classes") or 0
    state = beats.authors_state(**sizes)
    made = beats.network(state, **sizes)
    made.predictor = None  # with a classifier the authors' code returns probabilities alone
    content = {"cfg": beats.configuration(**sizes), "model": state}
    return content, lambda waveforms: made.extract_features(waveforms)[0].mean(1)


def _ced(backbone):
    ced, sizes = _authors("ced"), _sizes(backbone, "size", "heads", "depth", "n_classes")
    state = ced.seeded_weights(sizes, SEED)
    made = ced.network(state, **sizes)
    return state, lambda waveforms: ced.run(made, waveforms)["clip"]


def _dasheng(backbone):
    dasheng, sizes = _authors("dasheng"), _sizes(backbone, "size", "heads", "depth", "n_classes")
    state = dasheng.seeded_weights(sizes, SEED)
    made = dasheng.network(state, **sizes)
    return state, lambda waveforms: dasheng.run(made, waveforms)["clip"]


def _eat(backbone):
    from ..authors.seeded import seeded_state_dict

    eat, positions = _authors("eat"), "fixed_positional_encoder.positions"
    shapes = build_on_meta(backbone).state_dict()
    state = seeded_state_dict({name: shapes[name] for name in shapes if name != positions}, SEED)
    made = eat.network(state, backbone.settings["heads"])
    table = made.modality_encoders["IMAGE"].fixed_positional_encoder.positions.data
    content = {f"model.{name}": value for name, value in {**state, positions: table}.items()}

    def embed(waveforms):
        inputs = eat.spectrograms(waveforms, -(-waveforms.shape[1] // 160 // 16) * 16)
        return made.extract_features(inputs[:, None], remove_extra_tokens=False)["x"][:, 0]

    return content, embed


def _echo(backbone):
    import torch

    echo, sizes = _authors("echo"), _sizes(backbone, "size", "heads", "depth")
    state = seeded(backbone)
    made = echo.network(state, **sizes)

    def embed(waveforms):
        return torch.stack([echo.run(made, waveform, backbone.sample_rate)[0] for waveform in waveforms])

    return state, embed


def _fisher(backbone):
    fisher = _authors("fisher")
    content = fisher.checkpoint(
        backbone.settings["size"],
        backbone.settings["depth"],
        band_width=backbone.settings["band_width"],
        flatten=backbone.settings["flatten"],
    )
    made = fisher.network(content)
    return content, lambda waveforms: fisher.run(made, waveforms, backbone.sample_rate)[0]


#: Functions that take a backbone and return the content of a file of the authors, and their way to embed.
AUTHORS = {
    "beats": _beats,
    "ced": _ced,
    "dasheng": _dasheng,
    "eat": _eat,
    "echo": _echo,
    "fisher": _fisher,
}


def compare(made, n_clips, repeats):
    """Return the rows of a table: times of the contenders, and their errors relative to torch.

    Parameters
    ----------
    made : dict of {str: callable}
    n_clips, repeats : int

    Returns
    -------
    list of dict
    """
    expected = made[TORCH]()
    errors = {name: largest_error(function(), expected) for name, function in made.items()}
    timings = interleave(made, repeats=repeats, clock=time.process_time)
    rows = speed_rows(timings, unit="ms per clip", n_items=n_clips, reference=TORCH)
    return [{**row, "relative error": f"{errors[row['contender']]:.1e}"} for row in rows]


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.encoders")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the clip")
    parser.add_argument("--variants", nargs="+", choices=list(BACKBONES), default=VARIANTS, metavar="NAME")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    with one_thread():
        report = Report(
            "encoders",
            data=f"Noise, one clip of {options.seconds:g} s, of 16 kHz for a backbone of any rate. One thread, "
            "seconds of the processor.",
            seed=SEED,
            packages=("onnxruntime", "openvino", "timm", "torchaudio"),
            folder=options.output,
        )
        rows, notes = [], []
        for name in options.variants:
            backbone = at_a_rate(get_backbone(name))
            n_samples = round(options.seconds * backbone.sample_rate)
            noise = np.random.default_rng(SEED).normal(scale=0.1, size=(1, n_samples)).astype(np.float32)
            made, left_out = contenders(backbone, noise)
            rows += [{"backbone": name, **row} for row in compare(made, 1, options.repeats)]
            print(*rows[-len(made) :], *left_out, sep="\n", flush=True)
            notes += [note for note in left_out if note not in notes]
            del made
        notes += [lacks_bfloat16()] if lacks_bfloat16() else []
        report.table(TITLE, rows, " ".join(notes))
    return report


def at_a_rate(backbone: Backbone) -> Backbone:
    """Return the backbone, of any rate at `ANY_RATE`."""
    return replace(backbone, sample_rate=backbone.sample_rate or ANY_RATE)


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    rows = []
    for name in dict.fromkeys(row["backbone"] for row in tables.get(TITLE, ())):
        where, family = {"backbone": name}, get_backbone(name).family
        if family in AUTHORS:
            rows.append(
                ratio_row(
                    tables,
                    TITLE,
                    where=where,
                    what=f"10 s to an embedding of {name}",
                    ours=TORCH,
                    peer="authors",
                    target=TARGETS.get(family),
                    otherwise="SKAUDIO_AD_AUTHORS names no folder with the authors' code.",
                )
            )
        rows += [
            ratio_row(
                tables,
                TITLE,
                where=where,
                what=f"10 s to an embedding of {name}",
                ours=other,
                peer=TORCH,
                needs=PACKAGES[
                    "onnxruntime" if "ONNX" in other else "openvino" if "VINO" in other else "torch"
                ],
                otherwise=lacks_bfloat16() if "bfloat16" in other else "",
            )
            for other in ("torch, bfloat16", "ONNX Runtime, float32", "OpenVINO, float32")
        ]
    return rows


if __name__ == "__main__":
    main()
