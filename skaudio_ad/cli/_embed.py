"""``skaudio-ad embed``: embed recordings with a pretrained backbone."""

import json
import time

import click
import numpy as np

from .._atomic import atomic_path
from .._csv_text import utf8_name
from ..audio import AudioLoader, LevelNormalizer
from ..embeddings import get_backbone, get_family
from ..presets._make_detector import best_outputs, embedding_class
from ._common import check_writable, expand_recordings, friendly_errors
from ._messages import translate
from ._options import FILE, jobs_option, memory_option, recordings_argument
from ._sample_rate import choose_sample_rate, sample_rate_option
from ._terminal import say, track


@click.command()
@recordings_argument
@click.option(
    "--output",
    "-o",
    type=FILE,
    required=True,
    metavar="FILE",
    help="File to write the table to: FILE.npz, or FILE.parquet (needs pyarrow).",
)
@click.option(
    "--backbone",
    default="mini",
    show_default=True,
    help="Name of the backbone. `skaudio-ad weights list` prints all names.",
)
@sample_rate_option
@click.option(
    "--kind",
    help="Kind of vector: clip for all backbones; clip_stats, multilevel, block5, block11, block13 and block15 for "
    "MobileNets; class_token, distillation_token and patch_mean for PaSST; bands for BEATs; token_mean for EAT, ECHO "
    "and FISHER; logits for backbones that were trained on classes. Several kinds, separated by commas, "
    "stand side by side: clip,block15.  [default: the kinds that `fit` takes]",
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
    "--weights", default="pretrained", show_default=True, help="File of weights, or the folder of this file."
)
@click.option(
    "--runtime",
    type=click.Choice(["torch", "onnxruntime", "openvino", "hear21passt", "auto"]),
    default="torch",
    show_default=True,
    help="Library that runs the network. All but torch are optional packages. auto is the fastest that is installed.",
)
@memory_option
@jobs_option
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Stop at a recording that cannot be read, or fill its row with NaN.",
)
@friendly_errors
def embed(recordings, output, backbone, **settings):
    """Embed recordings with a pretrained backbone.

    RECORDINGS are files or folders. The command writes a table with one row for every recording. An .npz file holds
    the arrays embeddings, paths, names (of the columns), weights_sha256 and settings. A .parquet file holds one column
    for the path and one column for every value of the embedding. `skaudio-ad fit` trains a detector on such a table,
    and `skaudio-ad score` scores one.
    """
    level = settings.pop("level")
    run_embed(recordings, output, backbone, level=None if level == "none" else level, **settings)


def run_embed(recordings, output, backbone, *, kind, level, on_error, sample_rate=None, **settings):
    """Embed recordings and write a table with one row for every recording.

    Parameters
    ----------
    recordings : sequence of pathlib.Path
        Files and folders.
    output : pathlib.Path
        Path that ends in ``.npz`` or ``.parquet``.
    backbone : str
    kind : str or None
        Kind of vector: the `output` of the embedding, or several outputs, separated by commas. None takes those of
        :func:`make_detector`. Only kinds with one vector per recording are allowed.
    level : str or None
        Level of :class:`LevelNormalizer`. None keeps the loudness.
    on_error : {"raise", "skip"}
    sample_rate : int or None, default=None
        Sample rate for a backbone of any rate, in hertz. None is the rate of the recordings.
    **settings : dict
        Other parameters of the embedding.
    """
    write = _writer(output)
    check_writable(output)
    try:
        backbone = get_backbone(backbone)
    except ValueError as error:
        raise click.BadParameter(translate(error), param_hint="--backbone") from error
    kinds = list(best_outputs(backbone)) if kind is None else kind.split(",")
    known = get_family(backbone.family).output_names(backbone, vectors=True)
    for one in kinds:
        if one not in known:
            raise click.BadParameter(
                f"must be one of {', '.join(known)} for {backbone.name}, got {one!r}.", param_hint="--kind"
            )
        if kinds.count(one) > 1:
            raise click.BadParameter(f"must name every kind once, got {kind!r}.", param_hint="--kind")
    paths = expand_recordings(recordings)
    rate = choose_sample_rate(backbone, paths, sample_rate)
    output_names = kinds[0] if len(kinds) == 1 else kinds
    if rate is not None:
        settings["sample_rate"] = rate
    # The class of the family has the window that `fit` takes.
    embedding = embedding_class(backbone)(backbone, output=output_names, **settings)
    clips = AudioLoader(rate or backbone.sample_rate, on_error=on_error).fit_transform(paths)
    if level is not None:
        clips = LevelNormalizer(level).fit_transform(clips)
    start = time.perf_counter()
    embedding.fit(clips)
    made = np.stack(list(track(embedding.stream(clips), "embedding", len(clips))))
    seconds = time.perf_counter() - start
    # The write is atomic, because an incomplete file must not look like a table.
    with atomic_path(output) as temporary:
        names = list(embedding.get_feature_names_out())
        write(temporary, made, paths, names, embedding.weights_digest_, table_settings(embedding, level))
    say(f"{output}: {len(made)} x {made.shape[1]} values of {backbone.name}, {seconds:.1f} s")
    if clips.failures:
        say(
            f"Note: {len(clips.failures)} of {len(paths)} recordings could not be read, see above; their rows are NaN.",
            err=True,
        )


def table_settings(embedding, level):
    """Return the settings that two tables must share to be comparable, as far as the columns do not tell them.

    Parameters
    ----------
    embedding : BackboneEmbedding
    level : str or None

    Returns
    -------
    dict
    """
    settings = {"level": level or "none", "window": float(embedding.window)}
    if getattr(embedding, "sample_rate", None) is not None:  # a backbone of any rate
        settings["sample_rate"] = embedding.sample_rate
    return settings


def _writer(output):
    """Return the function that writes a table in the format of the ending of the file name."""
    if output.suffix == ".npz":
        return _write_npz
    if output.suffix != ".parquet":
        raise click.BadParameter(f"{output} must end in .npz or .parquet.", param_hint="--output")
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise click.BadParameter(
            "a .parquet file needs pyarrow: pip install 'skaudio_ad[parquet]'; or write an .npz.",
            param_hint="--output",
        ) from error
    return _write_parquet


def _write_npz(path, embeddings, paths, names, digest, settings):
    with open(path, "wb") as file:
        np.savez(
            file,
            embeddings=embeddings,
            paths=np.array(list(map(utf8_name, paths))),
            names=np.array(names, dtype=str),
            weights_sha256=np.array(digest),
            settings=np.array(json.dumps(settings)),
        )


def _write_parquet(path, embeddings, paths, names, digest, settings):
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"path": list(map(utf8_name, paths)), **dict(zip(names, np.ascontiguousarray(embeddings.T)))}
    table = pa.table(columns).replace_schema_metadata(
        {"weights_sha256": digest, "settings": json.dumps(settings)}
    )
    parquet.write_table(table, path)
