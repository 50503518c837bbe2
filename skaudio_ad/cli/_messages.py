"""Translate messages of the library: options of the command line instead of parameters of Python."""

import re

import click

# Parameter of the library for every option that has another name.
_LIBRARY_NAMES = {
    "held_out": "validation_fraction",
    "seed": "random_state",
    "kind": "output",
    "output": "output_dir",
    "embedding_window": "window",
}
# Patterns that exclude parts of file names, because a folder may be called max_epochs.
_BEFORE, _AFTER = r"(?<![\w./\\-])", r"(?![\w/\\-]|\.\w)"
_VALUE = r"""=(?:"([^"]*)"|'([^']*)'|(-?\w+(?:\.\w+)*))"""
_TOO_SHORT = "use longer recordings"


def translate(message, command=None):
    """Replace parameters of Python in a message by options of a command.

    Parameters
    ----------
    message : object
        Object with a text form.
    command : click.Command or None, default=None
        Command with the options. None is the command that runs in this thread.

    Returns
    -------
    str
        Translated message. Advice that no option of the command can follow is left out.
    """
    message = str(message)
    if command is None:
        context = click.get_current_context(silent=True)
        command = None if context is None else context.command
    if command is None:
        return message
    options = {
        _LIBRARY_NAMES.get(parameter.name, parameter.name): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
    for pattern, replacement in _phrases(options):
        message = re.sub(pattern, replacement, message)
    for name, option in options.items():
        message = _name_option(message, name, option)
    return message


def _phrases(options):
    """Yield (pattern of the library, replacement) for advice that is more than the name of one option."""
    skip = ", or leave this one out with --on-error skip" if "on_error" in options else ""
    cut = " or --duration" if "duration" in options else ""
    scale = "Try --level rms or another --preset." if {"level", "preset"} <= set(options) else ""
    yield r", or a Backbone, got", ", got"
    yield (
        r'"pretrained", a file or folder that exists, or None',
        '"pretrained" or a file or folder that exists',
    )
    yield r"[;:] list its recordings with [\w.]+find_audio_files", ""
    # The pattern begins at the last semicolon, because the name of the recording may contain a semicolon.
    yield r"; [^;]*AudioLoader with a duration and a pad\)?[^;]*\.$", f"; {_TOO_SHORT}{skip}."
    yield (
        r"\b[Gg]ive AudioLoader a duration and a pad(, or use list\(clips\))?",
        f"use recordings of one length{cut}",
    )
    yield (
        r"Fit with normal clips of this machine, or with unknown=\"merged\"\.",
        "Train with its normal recordings.",
    )
    yield r"Pass more clips, use a larger batch_size, or set batch_norm=False\.", "Give more recordings."
    yield r"Pass more clips(, or a smaller n_neighbors)?\.", "Give more recordings."
    yield r"got n_samples=(\d+)\. Pass more, cut", r"got \1. Give more, cut"
    yield r" ?Lower learning_rate, or scale the features \([\w, ]*\)\.", f" {scale}".rstrip()
    yield r" Raise reconstruction_weight \([^)]*\) or lower kl_weight \([^)]*\); after", " After"
    yield r"[Pp]ass window=,", "give --window,"
    if "config" in options:
        yield r"\bpass allow_lower_rate=True", "set allow_lower_rate = true in the file of --config"
    if "on_error" not in options:
        yield r',? (?:or )?leave it out with on_error="skip"', ""
        yield r' with on_error="skip"', ""


def _name_option(message, name, option):
    flag = max(option.opts, key=len)

    def with_value(match):
        value = next(group for group in match.groups() if group is not None)
        if option.is_flag and not option.secondary_opts:
            return flag if value == "True" else f"no {flag}"
        if value == "None":
            has_none = isinstance(option.type, click.Choice) and "none" in option.type.choices
            return f"{flag} none" if has_none else f"no {flag}"
        return f"{flag} {value}"

    message = re.sub(_BEFORE + name + _VALUE + _AFTER, with_value, message)
    # An ordinary word, such as "level", is a parameter only before the text of a rule.
    rule = r"(?= must| == )" if "_" not in name else ""
    return re.sub(_BEFORE + name + _AFTER + rule, flag, message)
