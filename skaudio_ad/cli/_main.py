"""The program and the list of its commands; each command is in a module of its own."""

import click

from ._program import Program

# The first sentence of the help of every command, so that the list of commands needs no import.
_COMMANDS = {
    "calibrate": "Choose the level of an alarm, and state the rate of false events.",
    "check": "Check recordings for what would spoil a training set.",
    "confirm": "Confirm events of a monitor as normal or as faults.",
    "demo": "Generate sounds of four machines, compare detectors, score and draw.",
    "embed": "Embed recordings with a pretrained backbone.",
    "evaluate": "Measure how well a detector separates normal and anomalous recordings.",
    "fit": "Train a detector on recordings of normal sounds.",
    "info": "Describe a detector, or this installation.",
    "report": "Write a page to listen to recordings and to see why they are anomalous.",
    "score": "Score recordings with a trained detector.",
    "watch": "Listen to a source all day, and report what sounds wrong.",
    "weights": "Find and download the weights of pretrained backbones.",
}


@click.group(cls=Program, lazy_commands=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skaudio_ad", prog_name="skaudio-ad")
@click.option("--debug", is_flag=True, help="Show where in the program an error comes from.")
@click.pass_context
def main(context, debug):
    """Detect anomalous sounds.

    Train a detector on recordings of normal sounds, then score new recordings.

    \b
    Exit codes:
      0    the command has succeeded
      1    a file could not be read or written, the training failed, or check --strict found a problem
      2    the command line is wrong
      3    an anomaly was found (score --exit-code)
      130  Ctrl-C interrupted the command
    """  # noqa: D301
    context.obj = {"debug": debug}
