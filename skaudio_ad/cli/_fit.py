"""``skaudio-ad fit``: train a detector on recordings of normal sounds."""

import math
import os
import time
from collections import Counter

import click
from click.core import ParameterSource

from .._base import ENOUGH_HELD_OUT
from .._csv_text import utf8_name
from .._json import without_nan
from ..persistence import save_detector
from ..presets import HEADS, PRESETS, make_detector, make_preset
from ..recordings._summary import describe_promise
from ..recordings._unwrap import last_step
from ._common import check_writable, expand_recordings, friendly_errors
from ._embedding_tables import find_table, read_table
from ._fit_windows import cut_recordings, hop_option, window_option
from ._groups import read_groups, read_machines
from ._options import FILE, jobs_option, memory_option, recordings_argument
from ._sample_rate import choose_sample_rate, sample_rate_option
from ._terminal import say
from ._training import (
    examine,
    fit_embeddings,
    fit_with_progress,
    known_warnings_ignored,
    warn_of_findings,
)

# Options of `make_detector`, of the published presets, and of recordings. Every set applies only to its own way to
# train. The values are the names of the parameters of the command.
_OF_DETECTOR = (
    "backbone",
    "weights",
    "sample_rate",
    "head",
    "false_alarms",
    "machines",
    "embedding_window",
    "memory",
    "n_jobs",
)
_OF_PRESET = ("max_epochs", "held_out")
_OF_RECORDINGS = (
    "backbone",
    "weights",
    "sample_rate",
    "machines",
    "embedding_window",
    "segment_window",
    "segment_hop",
    "memory",
    "n_jobs",
    "duration",
    "level",
    "on_error",
)
_EMBEDDING_PRESET = "embedding_"


@click.command()
@recordings_argument
@click.option(
    "--output",
    "-o",
    type=FILE,
    required=True,
    metavar="FILE.skops",
    help="File to write the detector to.",
)
@click.option(
    "--backbone",
    default="mini",
    show_default=True,
    metavar="NAME",
    help="Pretrained network that embeds the recordings. mini is part of the package. auto is the best one whose "
    "weights are on this machine and that takes at most ten times as long as mn10. `skaudio-ad weights list` prints "
    "all names.",
)
@click.option(
    "--weights",
    default="pretrained",
    show_default=True,
    metavar="FILE|FOLDER",
    help="File of the weights of the backbone, or the folder of this file. The detector reads the file again when it "
    "scores.",
)
@sample_rate_option
@click.option(
    "--head",
    type=click.Choice(list(HEADS)),
    default="nearest",
    show_default=True,
    help="Way to score an embedding.",
)
@click.option(
    "--false-alarms",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    metavar="RATE",
    help="Rate of normal recordings that may raise an alarm. A rate takes 1 / RATE - 1 recordings; with fewer "
    "recordings the threshold is an estimate.",
)
@click.option(
    "--groups-from",
    metavar="folder|REGEX",
    help="Hold out whole groups of recordings, such as all recordings of one machine or patient. A group is a folder, "
    "or all files whose names have the same text in the parentheses of a regular expression, as in '^(id_[0-9]+)_'.",
)
@click.option(
    "--machines",
    metavar="folder|REGEX",
    help="Train a detector with a threshold of its own for every machine. The machine of a recording is its folder, or "
    "the text in the parentheses of a regular expression, as for --groups-from. `score` reads the machine in the same "
    "way.",
)
@click.option(
    "--level",
    type=click.Choice(["rms", "peak", "none"]),
    default="rms",
    show_default=True,
    help="Normalise recordings to one level, so that the gain of the recorder does not matter. 'none' keeps the "
    "loudness.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Duration of every recording that is used.  [default: the whole recording, or as the preset]",
)
@window_option
@hop_option
@click.option(
    "--embedding-window",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Longest stretch that the backbone embeds at once. The embeddings of a longer recording are averaged.  "
    "[default: as the backbone]",
)
@memory_option
@jobs_option
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Stop at a recording that cannot be read, or train without the recording.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the training. The same seed gives the same detector.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Train a named system instead. `skaudio-ad info` describes the systems.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(min=1),
    help="Maximum number of epochs, for presets that train a network.  [default: as the preset]",
)
@click.option(
    "--held-out",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="FRACTION",
    help="Fraction of the recordings that is held out from training and sets the threshold, for presets that train a "
    "network.  [default: as the preset]",
)
@friendly_errors
def fit(recordings, output, preset, **options):
    """Train a detector on recordings of normal sounds.

    RECORDINGS are files or folders, or one table of embeddings that `embed` wrote. Every sound in them must be normal.
    The detector embeds recordings with a pretrained network, and compares new recordings with the normal ones.
    """
    if output.suffix != ".skops":
        raise click.BadParameter(f"{output} must end in .skops.", param_hint="--output")
    check_writable(output)
    table = find_table(recordings)
    _check_options(preset, table)
    if table is not None:
        run_fit_table(table, output, **_chosen(options, "head", "false_alarms", "groups_from", "seed"))
        return
    options["level"] = None if options["level"] == "none" else options["level"]
    run_fit(recordings, output, preset, **options)


def _check_options(preset, table):
    """Raise an error of the command line for options that do not apply."""
    context = click.get_current_context()
    if table is not None:
        _refuse(context, ("preset", *_OF_RECORDINGS, *_OF_PRESET), f"to {table}, a table of embeddings")
    elif preset is None:
        _refuse(context, _OF_PRESET, "without a --preset that trains a network")
    elif preset.startswith(_EMBEDDING_PRESET):
        _refuse(context, ("head", *_OF_PRESET), f"to --preset {preset}")
    else:
        _refuse(context, _OF_DETECTOR, f"to --preset {preset}")
    if context.params["segment_window"] is None:
        _refuse(context, ("segment_hop",), "without --window")
    else:
        _refuse(context, ("duration",), "with --window, which sets the duration of the segments")


def _refuse(context, names, why):
    for parameter in context.command.params:
        if (
            parameter.name in names
            and context.get_parameter_source(parameter.name) == ParameterSource.COMMANDLINE
        ):
            raise click.UsageError(f"{max(parameter.opts, key=len)} does not apply {why}.")


def _chosen(options, *names):
    return {name: options[name] for name in names}


def run_fit(
    recordings,
    output,
    preset=None,
    *,
    groups_from=None,
    machines=None,
    backbone="mini",
    weights="pretrained",
    sample_rate=None,
    head="nearest",
    false_alarms=0.05,
    segment_window=None,
    segment_hop=None,
    embedding_window=None,
    memory=None,
    n_jobs=None,
    max_epochs=None,
    held_out=None,
    duration=None,
    level="rms",
    on_error="raise",
    seed=0,
):
    """Train a detector on recordings and save it.

    Parameters
    ----------
    recordings : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
    preset : str or None, default=None
        Name of a preset. None trains a detector of :func:`make_detector`.
    groups_from : str or None, default=None
        Groups of recordings that are held out together to set the threshold (:func:`read_groups`). None makes every
        recording its own group.
    machines : str or None, default=None
        Machine of every recording (:func:`read_machines`). None trains one detector for all recordings.
    backbone, weights, head, false_alarms, memory, n_jobs
        Parameters of :func:`make_detector`. The detector keeps the absolute path of a file of weights.
    sample_rate : int or None, default=None
        Sample rate for a backbone of any rate, in hertz. None is the rate of the recordings.
    segment_window, segment_hop : float or None, default=None
        Duration of the segments that the recordings are cut into, and time between the starts of two segments, in
        seconds. None trains on whole recordings.
    embedding_window : float or None, default=None
        Parameter `window` of :func:`make_detector`.
    max_epochs, held_out
        Parameters of a preset that trains a network. None keeps the value of the preset.
    duration, level, on_error, seed
        Parameters of both.
    """
    paths = expand_recordings(recordings)
    cut = None if segment_window is None else cut_recordings(paths, segment_window, segment_hop, on_error)
    clips = paths if cut is None else cut.segments
    groups = None if cut is None else cut.groups
    groups = groups if groups_from is None else read_groups(groups_from, clips)
    labels = None if machines is None else read_machines(machines, clips)
    common = {"duration": duration, "level": level, "on_error": on_error, "random_state": seed}
    is_embedding = preset is None or preset.startswith(_EMBEDDING_PRESET)
    if is_embedding:
        head = head if preset is None else preset.removeprefix(_EMBEDDING_PRESET)
        weights = weights if weights == "pretrained" else os.path.abspath(weights)
        settings = {
            "weights": weights,
            "false_alarms": false_alarms,
            "window": embedding_window,
            "memory": memory,
            "n_jobs": n_jobs,
        }
        rate = choose_sample_rate(_known_backbone(backbone, weights), paths, sample_rate)
        if rate is not None:
            settings["sample_rate"] = rate
        pipeline = make_detector(
            backbone, head=head, groups=groups_from, machines=machines, **settings, **common
        )
    else:
        trained = {"max_epochs": max_epochs, "validation_fraction": held_out}
        given = {name: value for name, value in trained.items() if value is not None}
        pipeline = make_preset(preset, **common, **given)
    start = time.perf_counter()
    facts, findings = examine(paths)
    if is_embedding:
        fit_embeddings(pipeline, clips, groups, labels)
    else:
        fit_with_progress(pipeline, clips, groups)
    facts |= {"seconds": time.perf_counter() - start, "system": _describe_system(pipeline, preset, head)}
    facts["n_groups"] = None if groups is None else len(set(groups))
    facts["machines"] = None if labels is None else _count_machines(machines, paths)
    facts |= {} if cut is None else cut.facts()
    facts["places"] = _places(recordings)
    _save(pipeline, output, facts, _embedding_facts(pipeline) if is_embedding else None)
    say(f"{output}: {describe_fit(pipeline, facts)}")
    if cut is not None and groups_from is None:
        say(f"Note: {cut.describe_groups()}", err=True)
    _say_notes(pipeline, facts)
    warn_of_findings(findings, recordings)


def _count_machines(machines, paths):
    return dict(sorted(Counter(read_machines(machines, paths)).items()))


def _places(recordings):
    """Return the folders of the training recordings, so that `report` finds the recordings again."""
    # Only a folder that was named is searched with the folders below it.
    named = [(path, True) if path.is_dir() else (path.parent, False) for path in recordings]
    places = {
        utf8_name(os.path.abspath(folder)): recursive
        for folder, recursive in sorted(named, key=lambda x: x[1])
    }
    return [{"folder": folder, "recursive": recursive} for folder, recursive in places.items()]


def _known_backbone(name, weights):
    """Return a name of a backbone, or raise an error of the command line that lists the names.

    The weights are looked for here, so that an error about missing weights comes before the recordings are decoded.
    """
    from ..embeddings import get_backbone, weights_path

    if name != "auto":
        try:
            get_backbone(name)
        except ValueError as error:
            raise click.BadParameter(
                str(error).replace(", or a Backbone, got", ", or auto, got"), param_hint="--backbone"
            ) from error
        if weights != "pretrained" and not os.path.exists(weights):
            raise click.BadParameter(f"{weights} does not exist.", param_hint="--weights")
        weights_path(name, path=None if weights == "pretrained" else weights)
    return name


def run_fit_table(table, output, *, head, false_alarms, groups_from, seed):
    """Train the last step of a detector on a table of embeddings and save it.

    Parameters
    ----------
    table, output : pathlib.Path
    head, false_alarms, seed
        Parameters of :func:`make_detector`.
    groups_from : str or None
        Groups of recordings, from the paths in the table.
    """
    embedded = read_table(table)
    groups = None if groups_from is None else read_groups(groups_from, embedded.paths)
    detector = make_detector(head=head, false_alarms=false_alarms, random_state=seed).steps[-1][1]
    start = time.perf_counter()
    with known_warnings_ignored():
        detector.fit(embedded.embeddings, **({} if groups is None else {"groups": groups}))
    facts = {
        "n_recordings": len(embedded.paths),
        "seconds": time.perf_counter() - start,
        "system": f"{embedded.names[0]}, ... of {table.name}, head {head}",
        "n_groups": None if groups is None else len(set(groups)),
    }
    _save(detector, output, facts, embedded.facts())
    say(f"{output}: {describe_fit(detector, facts)}")
    _say_notes(detector, facts)


def _embedding_facts(pipeline):
    """Return what a table of embeddings must share with the embeddings of a pipeline."""
    embed, level = pipeline["embed"], pipeline.named_steps.get("level")
    return {
        "names": list(map(str, embed.get_feature_names_out())),
        "weights_sha256": embed.weights_digest_ or "",
        "settings": {"level": "none" if level is None else level.method, "window": float(embed.window)},
    }


def _save(estimator, output, facts, embedding):
    detector = last_step(estimator)
    rate = getattr(detector, "false_alarm_rate_", None)
    promise = {
        "threshold": getattr(detector, "offset_", None),  # a fleet has a threshold for every machine
        "false_alarm_rate": rate,
        "promise": getattr(detector, "promise_", None),
        "reason": getattr(detector, "promise_reason_", None),
        "text": describe_promise(estimator),
    }
    metadata = {"training": facts, "promise": promise, "embedding": embedding}
    save_detector(estimator, output, metadata=without_nan(metadata))


def _describe_system(pipeline, preset, head):
    if preset is not None and not preset.startswith(_EMBEDDING_PRESET):
        return f"preset {preset}"
    embed = pipeline["embed"]
    output = embed.output if isinstance(embed.output, str) else "+".join(embed.output)
    return f"backbone {embed.variant} ({output}), head {head}"


def describe_fit(pipeline, facts):
    """Describe a fitted detector in one line.

    Parameters
    ----------
    pipeline : fitted estimator
    facts : dict
        Number of recordings, minutes if known, seconds of the training, and the system.

    Returns
    -------
    str
    """
    detector = last_step(pipeline)
    length = f" ({facts['minutes']:.1f} minutes)" if "minutes" in facts else ""
    seconds = f"{facts['seconds']:.1f} s"
    parts = [f"trained on {facts['n_recordings']} recording(s){length}", facts["system"]]
    if facts.get("window"):
        parts.insert(1, f"{facts['n_segments']} segments of {facts['window']:g} s")
    if hasattr(detector, "n_iter_"):
        parts.append(f"{detector.n_iter_} epochs")
    if hasattr(detector, "held_out_indices_"):
        parts.append(f"{len(detector.held_out_indices_)} held out to set the threshold")
    if facts.get("machines"):
        return ", ".join([*parts, f"a detector for each of {len(facts['machines'])} machines", seconds])
    if math.isfinite(detector.offset_):
        parts.append(f"threshold {detector.offset_:.6g}")
    return ", ".join([*parts, describe_promise(pipeline), seconds])


def _say_notes(pipeline, facts):
    """Print what the promise is worth where there are few recordings."""
    detector = last_step(pipeline)
    if facts.get("machines"):
        for machine, n_recordings in facts["machines"].items():
            own = detector.detector_of(machine)
            say(f"Machine {machine}: {n_recordings} recording(s), {describe_promise(own)}.", err=True)
        return
    if facts["n_groups"] is not None and not facts.get("window"):
        say(f"Note: {facts['n_recordings']} recordings in {facts['n_groups']} groups.", err=True)
    if hasattr(detector, "held_out_indices_"):
        held_out = len(detector.held_out_indices_)
        if held_out < ENOUGH_HELD_OUT:
            say(
                f"Note: a threshold from {held_out} held-out recording(s) is rough; {ENOUGH_HELD_OUT} or more promise "
                "at most one false alarm in twenty. Give more recordings, or a larger --held-out. Scores are not "
                "affected.",
                err=True,
            )
        return
    unit = "recordings" if facts["n_groups"] is None else "groups"
    n_units = facts["n_recordings"] if facts["n_groups"] is None else facts["n_groups"]
    rate = getattr(detector, "false_alarm_rate_", None)
    if detector.offset_ == float("-inf"):
        say(
            f"Note: one or two {unit} do not show how much normal {unit} differ, so the detector has no threshold, and "
            f"no recording raises an alarm. Its scores can be compared. Train on 3 {unit} or more.",
            err=True,
        )
    elif rate is not None and n_units < 1 / rate - 1 - 1e-6:
        say(
            f"Note: {n_units} {unit} promise no false-alarm rate of {rate:g}, which takes {round(1 / rate - 1)}. The "
            "threshold is estimated from the spread of their scores, and more false alarms are possible. Scores are "
            "not affected.",
            err=True,
        )
        if facts.get("window"):
            say(
                "Note: a threshold from so few groups often finds nothing. `skaudio-ad calibrate` finds a level for "
                "events from further normal recordings.",
                err=True,
            )
