"""The program and its commands; each command's work is in a module of its own, imported when it runs."""

import sys
from pathlib import Path

import click

from ..presets import PRESETS
from ._common import friendly_errors
from ._program import Program

_EXISTING_FILE = click.Path(dir_okay=False, path_type=Path)
_RECORDINGS = click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))


def _check_jobs(context, parameter, value):
    if value == 0:
        raise click.BadParameter("must not be 0: 1 is one process, -1 one for every core.")
    return value


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skaudio_ad", prog_name="skaudio-ad")
@click.option("--debug", is_flag=True, help="Show where in the program an error comes from.")
@click.pass_context
def main(context, debug):
    """Tell from sound alone that something is wrong.

    Train a detector on recordings of things as they should sound, then score new recordings. Exit codes: 0
    done; 1 a file or the training failed; 2 the command line is wrong; 130 interrupted (Ctrl-C).
    """
    context.obj = {"debug": debug}


@main.command()
@_RECORDINGS
@click.option(
    "--output",
    "-o",
    type=_EXISTING_FILE,
    required=True,
    metavar="FILE.skops",
    help="Where to write the detector.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="autoencoder",
    show_default=True,
    help="The system to train.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Use this much of every recording.  [default: as the preset]",
)
@click.option(
    "--level",
    type=click.Choice(["rms", "peak", "none"]),
    default="rms",
    show_default=True,
    help="Bring recordings to one level first, so that a recorder's gain does not count; 'none' keeps loudness.",
)
@click.option(
    "--max-epochs", type=click.IntRange(min=1), help="Most passes over the data.  [default: as the preset]"
)
@click.option(
    "--held-out",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="FRACTION",
    help="Part of the recordings that is not trained on but sets the threshold.  [default: as the preset]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same detector.")
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Stop at a recording that cannot be read, or train without it.",
)
@click.option(
    "--groups-from",
    metavar="folder|REGEX",
    help="Hold out together what belongs together, such as the recordings of one machine or patient: those of one "
    "folder, or those in whose file names the parentheses of a regular expression, as in '^(id_[0-9]+)_', match the "
    "same text.",
)
@friendly_errors
def fit(recordings, output, preset, duration, level, max_epochs, held_out, seed, on_error, groups_from):
    """Train a detector on RECORDINGS, files or folders of sounds that are all normal."""
    from ._fit import run_fit

    run_fit(
        recordings,
        output,
        preset,
        groups_from=groups_from,
        max_epochs=max_epochs,
        validation_fraction=held_out,
        duration=duration,
        level=None if level == "none" else level,
        on_error=on_error,
        random_state=seed,
    )


@main.command()
@click.argument("detector", type=_EXISTING_FILE)
@_RECORDINGS
@click.option(
    "--csv", "csv_path", type=_EXISTING_FILE, metavar="FILE.csv", help="Write the table here as well."
)
@click.option(
    "--plot",
    "plot_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Draw every recording's spectrogram and local score into this folder.",
)
@friendly_errors
def score(detector, recordings, csv_path, plot_folder):
    """Score RECORDINGS, files or folders, with a DETECTOR that `fit` wrote.

    Prints a table: score (higher is more normal), decision, and the time of the worst moment. A recording
    that cannot be scored is reported, the others are scored, and the exit code is 1.
    """
    from ._score import run_score

    sys.exit(run_score(detector, recordings, csv_path, plot_folder))


@main.command()
@click.argument("detector", type=_EXISTING_FILE, required=False)
@friendly_errors
def info(detector):
    """Describe a DETECTOR, or without one this installation: versions, presets, folders."""
    from ._info import describe_detector, describe_installation

    if detector is None:
        describe_installation()
    else:
        describe_detector(detector)


@main.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo_output"),
    show_default=True,
    help="Folder for sounds, detectors, tables and pictures.",
)
@click.option(
    "--n-train", type=click.IntRange(min=4), default=200, show_default=True, help="Normal clips to train on."
)
@click.option(
    "--n-test",
    type=click.IntRange(min=4),
    default=40,
    show_default=True,
    help="Normal and anomalous test clips, each.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Most passes over the data.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same sounds and detectors.")
@friendly_errors
def demo(output, n_train, n_test, max_epochs, seed):
    """Generate sounds of four machines, train on the normal ones, score the rest, draw. Needs no network."""
    from ._demo import run_demo

    run_demo(output, n_train=n_train, n_test=n_test, max_epochs=max_epochs, seed=seed)


@main.command()
@_RECORDINGS
@click.option(
    "--output",
    "-o",
    type=_EXISTING_FILE,
    required=True,
    metavar="FILE",
    help="Where to write the table: FILE.npz, or FILE.parquet (needs pyarrow).",
)
@click.option("--backbone", default="mn10", show_default=True, help="`skaudio-ad weights list` names them.")
@click.option(
    "--kind",
    default="clip",
    show_default=True,
    help="Which vector of a recording: clip, logits, and multilevel (MobileNets), class_token, distillation_token, "
    "patch_mean (PaSST).",
)
@click.option(
    "--level",
    type=click.Choice(["rms", "peak", "none"]),
    default="none",
    show_default=True,
    help="Bring recordings to one level first, so that a recorder's gain does not count.",
)
@click.option(
    "--weights", default="pretrained", show_default=True, help="File of weights, or the folder that it is in."
)
@click.option(
    "--runtime",
    type=click.Choice(["torch", "onnxruntime", "openvino", "hear21passt"]),
    default="torch",
    show_default=True,
    help="What runs the network; all but torch are optional packages.",
)
@click.option(
    "--memory",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Keep embeddings here, recording by recording: an interrupted run goes on where it stopped.",
)
@click.option(
    "--jobs",
    "n_jobs",
    type=int,
    callback=_check_jobs,
    default=1,
    show_default=True,
    metavar="N",
    help="Processes; -1 is all cores.",
)
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Stop at a recording that cannot be read, or make its row NaN.",
)
@friendly_errors
def embed(recordings, output, backbone, **settings):
    """Embed RECORDINGS, files or folders, with a pretrained backbone, and write a table of one row each.

    An .npz holds the arrays embeddings, paths, names (of the columns) and weights_sha256; a .parquet a column
    for the path and one for every value.
    """
    from ._embed import run_embed

    level = settings.pop("level")
    run_embed(recordings, output, backbone, level=None if level == "none" else level, **settings)


@main.group()
def weights():
    """Find and download the weights of pretrained backbones."""


@weights.command("list")
@friendly_errors
def list_weights():
    """List backbones, their sizes and licences, and where their weights are."""
    from ._weights import run_list

    run_list()


@weights.command("download")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
@friendly_errors
def download_weights(names, quiet):
    """Download the weights of each NAME that is not here yet."""
    from ._weights import run_download

    run_download(names, quiet=quiet)


@weights.command("path")
@click.argument("name")
@friendly_errors
def print_weights_path(name):
    """Print where the weights of NAME are; exit code 1 if not on this machine."""
    from ._weights import run_path

    run_path(name)
