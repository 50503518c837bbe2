"""The option --sample-rate, and the rate at which a backbone of any rate embeds recordings."""

import click
import numpy as np

from ..audio._rates import read_sample_rates

sample_rate_option = click.option(
    "--sample-rate",
    type=click.IntRange(min=1),
    metavar="HERTZ",
    help="Sample rate at which a backbone of any rate (ECHO, FISHER) embeds the recordings. Other backbones have one "
    "rate.  [default: the rate of the recordings]",
)


def choose_sample_rate(backbone, paths, sample_rate):
    """Return the sample rate of the loader for a backbone of any rate, or None for a backbone of one rate.

    Parameters
    ----------
    backbone : str or Backbone
        "auto" keeps `sample_rate`, because the function that resolves "auto" checks the rate.
    paths : list of str
        Recordings. Their headers are read where the backbone needs a rate and none is given.
    sample_rate : int or None
        Value of the option.

    Returns
    -------
    int or None

    Raises
    ------
    click.BadParameter
        If the backbone has one rate and another one is given, or a rate is needed and the recordings have several.
    """
    from ..embeddings import get_backbone

    if backbone == "auto":
        return sample_rate
    known = get_backbone(backbone)
    if known.sample_rate is not None:
        if sample_rate not in (None, known.sample_rate):
            raise click.BadParameter(
                f"{known.name} takes recordings at {known.sample_rate} Hz only, got {sample_rate}. Leave the option "
                "out, or choose a backbone of any rate: `skaudio-ad weights list` names them.",
                param_hint="--sample-rate",
            )
        return None
    if sample_rate is not None:
        return sample_rate
    rates, counts = np.unique(read_sample_rates(paths), return_counts=True)
    found = {int(rate): int(count) for rate, count in zip(rates, counts) if rate > 0}
    if len(found) != 1:
        has = ", ".join(f"{count} with {rate} Hz" for rate, count in found.items()) or "none that can be read"
        raise click.BadParameter(
            f"{known.name} takes any sample rate, and the recordings do not share one ({has}): give the rate to which "
            "all recordings are resampled, such as the lowest one.",
            param_hint="--sample-rate",
        )
    return next(iter(found))
