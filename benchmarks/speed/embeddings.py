"""Backbones by every runtime, beside the authors' PaSST and a plain MobileNet; and from files to embeddings.

PaSST: from waveforms of 10 s to clip embeddings, three at once as in the README of hear21passt, which runs the way
it says there (``get_scene_embeddings``, float32, eager). The weights are random, and the same for all.

MobileNet: the network alone, from spectrograms of 10 s to clip embeddings. "eager" is the module as its authors run
it: convolutions of torch, batch normalisation after each, channels first. mn04 has its published weights if they are
on this machine, mn10 random ones: the errors of bfloat16 depend on that. OpenVINO's bfloat16 is not there, since it
rounds all layers: clip embeddings of mn04 come out 8 to 10 % off.

Errors are relative to the reference, the worst clip's, of Euclidean norms. Clips are fans of make_machine_sounds.

End to end: clips of ESC-10 (ogg, 44.1 kHz, 5 s) through ``AudioLoader`` and ``MobileNetEmbedding``. The stages are
timed one after the other; the pipeline, whose loader decodes ahead in threads, may be faster than their sum.

Where other programs keep the cores busy, threads wait for each other, torch's more than OpenVINO's: compare runs with
``OMP_NUM_THREADS=1``, which all contenders obey.

glibc gives large blocks back to the system and takes them again with every layer. It keeps them, and convolutions get
up to twice as fast, with these variables set before Python starts, at the price of memory:
``MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824``.

Targets. PaSST: 1.5 times hear21passt's speed in float32, 2.5 times in bfloat16, 4 times by OpenVINO. mn10 at batch 8:
2.5 times eager's in float32, 5 times by OpenVINO. Errors below 1e-5 in float32, 1e-2 in bfloat16.

Run: ``python -m benchmarks.speed.embeddings [--repeats 5] [--files 40] [--data-home FOLDER]``; some 6 minutes.
"""

import argparse
import os
import warnings

import numpy as np
import soxr
from sklearn.pipeline import make_pipeline

from skaudio_ad.audio import AudioLoader, read_audio
from skaudio_ad.datasets import load_esc10, make_machine_sounds
from skaudio_ad.embeddings import MobileNetEmbedding, find_weights, get_backbone
from skaudio_ad.embeddings._backbone_engine import backbone_engine

from .._report import RESULTS, Report, interleave, speed_rows

SEED = 0
RATE = 32_000
# Runtime and precision.
OURS = {
    "torch, float32": ("torch", "float32"),
    "torch, bfloat16": ("torch", "bfloat16"),
    "ONNX Runtime, float32": ("onnxruntime", "float32"),
    "OpenVINO, float32": ("openvino", "float32"),
    "OpenVINO, bfloat16": ("openvino", "bfloat16"),
}
STAGES = ("decode", "resample", "front end", "network")


def load(variant, runtime, precision):
    """A backbone in memory, with its published weights if they are on this machine, else random ones.

    Parameters
    ----------
    variant : str or Backbone
    runtime, precision : str
        As of the embeddings.

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


def weights_of(variant):
    """What to pass as `weights`: "pretrained" if these are on this machine, else None."""
    return None if find_weights(get_backbone(variant)) is None else "pretrained"


def passt_contenders(variant, waveforms):
    """Functions that embed waveforms, hear21passt's first.

    Parameters
    ----------
    variant : str or Backbone
    waveforms : ndarray of shape (n_clips, n_samples)

    Returns
    -------
    dict of {str: callable}
        Each returns an array of shape (n_clips, 768).
    """
    import torch
    from hear21passt.base import get_scene_embeddings
    from hear21passt.wrapper import PasstBasicWrapper

    # get_basic_model always downloads; this is what it puts together, with the weights of all contenders.
    theirs = load(variant, "hear21passt", "float32").runtime
    model = PasstBasicWrapper(mel=theirs.log_mel, net=theirs.network, mode="embed_only")
    tensor = torch.from_numpy(waveforms)

    def embed():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that torch has others for by now
            return get_scene_embeddings(tensor, model).numpy()

    contenders = {"hear21passt": embed}
    for name, setting in OURS.items():
        loaded = load(variant, *setting)
        contenders[name] = lambda loaded=loaded: loaded.embed(waveforms, "clip")
    return contenders


def mobilenet_contenders(variant, waveforms):
    """Functions that embed the spectrograms of waveforms, the plain network first.

    Parameters
    ----------
    variant : str or Backbone
    waveforms : ndarray of shape (n_clips, n_samples)

    Returns
    -------
    dict of {str: callable}
        Each returns an array of shape (n_clips, n_features).
    """
    import torch

    from skaudio_ad.embeddings import load_state_dict
    from skaudio_ad.networks import AudioSetFrontEnd, MobileNet
    from skaudio_ad.training import drawing_from, inference

    backbone = get_backbone(variant)
    with drawing_from(SEED):
        network = MobileNet(**backbone.settings).eval()
    if weights_of(variant) is not None:
        network.load_state_dict(load_state_dict(backbone))
    spectrograms = AudioSetFrontEnd()(torch.from_numpy(waveforms))

    def run(function):
        with inference():
            return function()

    contenders = {"eager": lambda: run(lambda: network(spectrograms, ("clip",))["clip"].numpy())}
    for name, setting in OURS.items():
        if setting != ("openvino", "bfloat16"):
            runtime = load(variant, *setting).runtime
            contenders[name] = lambda runtime=runtime: run(lambda: runtime(spectrograms, "clip"))
    return contenders


def largest_error(made, expected):
    """Largest relative error of a row, by Euclidean norms."""
    return float((np.linalg.norm(made - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())


def compare(contenders, n_clips, repeats):
    """Rows of a table: the contenders in turn, and how far they are from the first.

    Parameters
    ----------
    contenders : dict of {str: callable}
    n_clips : int
        That each call embeds.
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
    """Row of a table: the stages of embedding files, one after the other, and the pipeline.

    Parameters
    ----------
    variant : str or Backbone
    runtime : str
    paths : list of str
    seconds : float
        To which clips are cut or padded.
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
    parser.add_argument("--repeats", type=int, default=5, help="of MobileNets; of PaSST half as many")
    parser.add_argument("--files", type=int, default=40, help="of ESC-10, for the table end to end")
    parser.add_argument("--variants", nargs="+", default=["mn10", "mn04"], help="of MobileNet")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--data-home", help="folder of ESC-10; default SKAUDIO_AD_DATA")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    settings = [f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith("MALLOC_")]
    report = Report(
        "embeddings",
        data=f"Fans of make_machine_sounds, {options.seconds:g} s at {RATE} Hz, and ESC-10. "
        f"glibc's allocator: {' '.join(settings) or 'as it comes'}.",
        seed=SEED,
        packages=("hear21passt", "onnxruntime", "openvino"),
        folder=options.output,
    )
    clips = make_machine_sounds(8, 0, duration=options.seconds, sample_rate=RATE, random_state=SEED)
    waveforms = clips.waveforms.astype(np.float32)
    for variant in options.variants:
        for n_clips in (8, 1):
            rows = compare(mobilenet_contenders(variant, waveforms[:n_clips]), n_clips, options.repeats)
            of = "published weights" if weights_of(variant) else "random weights"
            report.table(f"{variant}, {n_clips} at once", rows, f"With {of}.")
    _files_end_to_end(report, options)
    # After the MobileNets: the memory that these large networks leave behind would spare eager its page faults.
    contenders = passt_contenders("passt_s_swa", waveforms[:3])
    report.table("PaSST, three at once", compare(contenders, 3, (options.repeats + 1) // 2))


def _files_end_to_end(report, options):
    try:
        paths = load_esc10("Rain", data_home=options.data_home).paths
    except (OSError, ValueError) as error:
        print(f"Nothing end to end: {error}")
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
