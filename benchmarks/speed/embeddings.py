"""Backbones by every runtime, beside the authors' PaSST and a plain MobileNet, and embeddings from files.

PaSST: from waveforms of 10 s to clip embeddings, three clips at once. hear21passt runs as its README says
(``get_scene_embeddings``, float32, eager). All contenders have the same random weights.

MobileNet: only the network, from spectrograms of 10 s to clip embeddings. "eager" is the module as its authors run it:
convolutions of torch, batch normalisation after each convolution, channels first. mn04 has its published weights if
they are on this machine. mn10 has random weights. The errors of bfloat16 depend on the weights. OpenVINO's bfloat16 is
left out, because it rounds all layers: clip embeddings of mn04 then have an error of 8 to 10 %.

On a processor without instructions for bfloat16, bfloat16 is left out, because it takes minutes per clip there.

Errors are relative to the reference, by Euclidean norms, and the table shows the largest error of a clip. The clips are
fans of make_machine_sounds.

End to end: clips of ESC-10 (ogg, 44.1 kHz, 5 s) through ``AudioLoader`` and ``MobileNetEmbedding``. The stages are
timed one after another. The pipeline may be faster than the sum of its stages, because its loader decodes ahead in
threads.

Where other programs use the cores, threads wait for each other, and torch's threads wait longer than OpenVINO's.
Compare runs with ``OMP_NUM_THREADS=1``, which all contenders obey.

By default glibc returns large blocks to the system and requests them again with every layer. Two variables, set before
Python starts, make glibc keep these blocks: ``MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824``.
Convolutions are then up to twice as fast, but the process uses more memory.

Targets:

==========================  =================  ====================
Speed relative to           hear21passt PaSST  eager mn10, batch 8
==========================  =================  ====================
float32                     1.5                2.5
bfloat16                    2.5
OpenVINO                    4                  5
==========================  =================  ====================

The largest error is 1e-5 in float32 and 1e-2 in bfloat16.

Run: ``python -m benchmarks.speed.embeddings [--repeats 5] [--files 40] [--data-home FOLDER]``, about 6 minutes.
"""

import argparse
import os
import warnings

import numpy as np
import soxr
from sklearn.pipeline import make_pipeline

from skaudio_ad.audio import AudioLoader, read_audio
from skaudio_ad.datasets import load_esc10, make_machine_sounds
from skaudio_ad.embeddings import MobileNetEmbedding, find_weights, get_backbone, get_family
from skaudio_ad.embeddings._backbone_engine import backbone_engine

from .._report import RESULTS, Report, interleave, speed_rows
from ._ratios import lacks_bfloat16, missing_packages, ratio_row

SEED = 0
RATE = 32_000
# Runtime and precision of every contender.
OURS = {
    "torch, float32": ("torch", "float32"),
    "torch, bfloat16": ("torch", "bfloat16"),
    "ONNX Runtime, float32": ("onnxruntime", "float32"),
    "OpenVINO, float32": ("openvino", "float32"),
    "OpenVINO, bfloat16": ("openvino", "bfloat16"),
}
# Packages that a runtime needs.
PACKAGES = {"torch": (), "onnxruntime": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}
PASST_PACKAGES = ("hear21passt", "timm", "torchaudio", "torchvision")
STAGES = ("decode", "resample", "front end", "network")


def load(variant, runtime, precision):
    """Load a backbone with its published weights if they are on this machine, else with random weights.

    Parameters
    ----------
    variant : str or Backbone
    runtime, precision : str
        Parameters of the embeddings.

    Returns
    -------
    LoadedBackbone
    """
    return backbone_engine(
        get_backbone(variant),
        weights_of(variant),
        runtime=runtime,
        precision=precision,
        device="cpu",
        random_state=SEED,
    ).load()


def installed():
    """Return the part of `OURS` whose packages are installed."""
    return {name: setting for name, setting in OURS.items() if not missing_packages(PACKAGES[setting[0]])}


def measurable():
    """Return the part of `OURS` whose packages are installed and whose precision the processor is made for."""
    return {
        name: setting
        for name, setting in installed().items()
        if setting[1] == "float32" or not lacks_bfloat16()
    }


def weights_of(variant):
    """Return the parameter `weights`: "pretrained" if the weights are on this machine, else None."""
    return None if find_weights(get_backbone(variant)) is None else "pretrained"


def passt_contenders(variant, waveforms, ours=None):
    """Return functions that embed waveforms. The first function is hear21passt's.

    Parameters
    ----------
    variant : str or Backbone
    waveforms : ndarray of shape (n_clips, n_samples)
    ours : dict or None, default=None
        Part of `OURS`. None is what is installed.

    Returns
    -------
    dict of {str: callable}
        Each returns an array of shape (n_clips, 768).
    """
    import torch
    from hear21passt.base import get_scene_embeddings
    from hear21passt.wrapper import PasstBasicWrapper

    # get_basic_model always downloads weights. Therefore make the same model with the weights of all contenders.
    theirs = load(variant, "hear21passt", "float32").runtime
    model = PasstBasicWrapper(mel=theirs.log_mel, net=theirs.network, mode="embed_only")
    tensor = torch.from_numpy(waveforms)

    def embed():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hear21passt uses deprecated names of torch
            return get_scene_embeddings(tensor, model).numpy()

    contenders = {"hear21passt": embed}
    for name, setting in (installed() if ours is None else ours).items():
        loaded = load(variant, *setting)
        contenders[name] = lambda loaded=loaded: loaded.embed(waveforms, "clip")
    return contenders


def mobilenet_contenders(variant, waveforms, ours=None):
    """Return functions that embed the spectrograms of waveforms. The first function is the plain network.

    Parameters
    ----------
    variant : str or Backbone
    waveforms : ndarray of shape (n_clips, n_samples)
    ours : dict or None, default=None
        Part of `OURS`. None is what is installed.

    Returns
    -------
    dict of {str: callable}
        Each returns an array of shape (n_clips, n_features).
    """
    import torch

    from skaudio_ad.embeddings import load_state_dict
    from skaudio_ad.networks import AudioSetFrontEnd
    from skaudio_ad.training import draw_seed, drawing_from, inference

    backbone = get_backbone(variant)
    with drawing_from(draw_seed(SEED)):
        network = get_family(backbone.family).build_network(backbone).eval()
    if weights_of(variant) is not None:
        network.load_state_dict(load_state_dict(backbone))
    spectrograms = AudioSetFrontEnd()(torch.from_numpy(waveforms))

    def run(function):
        with inference():
            return function()

    contenders = {"eager": lambda: run(lambda: network(spectrograms, ("clip",))["clip"].numpy())}
    for name, setting in (installed() if ours is None else ours).items():
        if setting != ("openvino", "bfloat16"):
            runtime = load(variant, *setting).runtime
            contenders[name] = lambda runtime=runtime: run(lambda: runtime(spectrograms, "clip"))
    return contenders


def largest_error(made, expected):
    """Return the largest relative error of a row, by Euclidean norms."""
    return float((np.linalg.norm(made - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())


def compare(contenders, n_clips, repeats):
    """Return the rows of a table: times of the contenders, and their errors relative to the first contender.

    Parameters
    ----------
    contenders : dict of {str: callable}
    n_clips : int
        Number of clips that each call embeds.
    repeats : int

    Returns
    -------
    list of dict
    """
    made = {}

    def keeping(name):
        def embed():
            made[name] = contenders[name]()

        return embed

    timings = interleave({name: keeping(name) for name in contenders}, repeats=repeats)
    reference = next(iter(contenders))
    rows = speed_rows(timings, unit="ms per clip", n_items=n_clips, reference=reference)
    for row in rows:
        row["relative error"] = f"{largest_error(made[row['contender']], made[reference]):.1e}"
    return rows


def end_to_end(variant, runtime, paths, seconds, repeats):
    """Return the row of a table: the stages of embedding files, one after another, and the pipeline.

    Parameters
    ----------
    variant : str or Backbone
    runtime : str
    paths : list of str
    seconds : float
        Length to which clips are cut or padded.
    repeats : int

    Returns
    -------
    dict
    """
    import torch

    from skaudio_ad.training import inference

    loaded = load(variant, runtime, "float32")
    embedding = MobileNetEmbedding(
        variant, weights=weights_of(variant), runtime=runtime, device="cpu", random_state=SEED
    )
    loader = AudioLoader(RATE, duration=seconds, pad="zeros")
    pipeline = make_pipeline(loader, embedding)
    read = [read_audio(path) for path in paths]
    waveforms = torch.from_numpy(np.stack(list(loader.fit_transform(paths))))
    batches = waveforms.split(embedding.batch_size)
    with inference():
        spectrograms = [loaded.runtime.front_end(batch) for batch in batches]
        timings = interleave(
            {
                "decode": lambda: [read_audio(path) for path in paths],
                "resample": lambda: [soxr.resample(clip, rate, RATE, quality="HQ") for clip, rate in read],
                "front end": lambda: [loaded.runtime.front_end(batch) for batch in batches],
                "network": lambda: [loaded.runtime(batch, "clip") for batch in spectrograms],
                "pipeline": lambda: pipeline.transform(paths),
            },
            repeats=repeats,
        )
    milliseconds = {name: timing.best / len(paths) * 1e3 for name, timing in timings.items()}
    whole = sum(milliseconds[stage] for stage in STAGES)
    return {
        "network of": get_backbone(variant).name,
        "runtime": runtime,
        "clips per second": f"{1e3 / milliseconds['pipeline']:.0f}",
        "ms per clip": f"{milliseconds['pipeline']:.3g}",
        **{f"{stage}, ms": f"{milliseconds[stage]:.3g}" for stage in STAGES},
        **{f"{stage}, share": f"{milliseconds[stage] / whole:.0%}" for stage in STAGES},
    }


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.embeddings")
    parser.add_argument(
        "--repeats", type=int, default=5, help="repetitions of MobileNets, twice those of PaSST"
    )
    parser.add_argument(
        "--files", type=int, default=40, help="number of files of ESC-10 for the table end to end"
    )
    parser.add_argument("--variants", nargs="+", default=["mn10", "mn04"], help="variants of MobileNet")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--data-home", help="folder of ESC-10  [default: SKAUDIO_AD_DATA]")
    parser.add_argument("--skip-passt", action="store_true", help="measure MobileNets only")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    settings = [f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith("MALLOC_")]
    report = Report(
        "embeddings",
        data=f"Fans of make_machine_sounds, {options.seconds:g} s at {RATE} Hz, and ESC-10. "
        f"glibc's allocator: {' '.join(settings) or 'default settings'}.",
        seed=SEED,
        packages=("hear21passt", "onnxruntime", "openvino"),
        folder=options.output,
    )
    clips = make_machine_sounds(8, 0, duration=options.seconds, sample_rate=RATE, random_state=SEED)
    waveforms = clips.waveforms.astype(np.float32)
    for variant in options.variants:
        for n_clips in (8, 1):
            rows = compare(
                mobilenet_contenders(variant, waveforms[:n_clips], measurable()), n_clips, options.repeats
            )
            of = "published weights" if weights_of(variant) else "random weights"
            report.table(f"{variant}, {n_clips} at once", rows, f"With {of}.")
    _files_end_to_end(report, options)
    # Run PaSST after the MobileNets, because the memory that PaSST leaves allocated would make eager faster.
    if not options.skip_passt and not missing_packages(PASST_PACKAGES):
        contenders = passt_contenders("passt_s_swa", waveforms[:3], measurable())
        report.table("PaSST, three at once", compare(contenders, 3, (options.repeats + 1) // 2))
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    targets = {"torch, float32": 2.5, "OpenVINO, float32": 5}
    titles = [title for title in tables if title.endswith("at once") and not title.startswith("PaSST")]
    rows = [
        ratio_row(
            tables,
            title,
            what=f"network of {title}",
            ours=name,
            peer="eager",
            target=targets.get(name) if title == "mn10, 8 at once" else None,
            needs=PACKAGES[setting[0]],
            otherwise=lacks_bfloat16() if setting[1] == "bfloat16" else "",
        )
        for title in titles
        for name, setting in OURS.items()
        if setting != ("openvino", "bfloat16")
    ]
    targets = {"torch, float32": 1.5, "torch, bfloat16": 2.5, "OpenVINO, float32": 4, "OpenVINO, bfloat16": 4}
    rows += [
        ratio_row(
            tables,
            "PaSST, three at once",
            what="waveforms to embeddings of PaSST",
            ours=name,
            peer="hear21passt",
            target=targets.get(name),
            needs=(*PASST_PACKAGES, *PACKAGES[setting[0]]),
            otherwise=lacks_bfloat16() if setting[1] == "bfloat16" else "",
        )
        for name, setting in OURS.items()
    ]
    return rows


def _files_end_to_end(report, options):
    try:
        paths = load_esc10("Rain", data_home=options.data_home).paths
    except (OSError, ValueError) as error:
        print(f"The table end to end is left out: {error}")
        return
    paths = paths[:: max(1, len(paths) // options.files)][: options.files]
    report.table(
        "Files end to end",
        [
            end_to_end(variant, runtime, paths, 5.0, options.repeats)
            for variant in options.variants
            for runtime in ("torch", "openvino")
        ],
    )


if __name__ == "__main__":
    main()
