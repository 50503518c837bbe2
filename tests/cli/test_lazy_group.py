"""The list of commands is shown without importing a command."""

import subprocess
import sys

import click
import pytest

from skaudio_ad.cli import main

CONTEXT = click.Context(main)


def test_the_commands_are_listed_in_order():
    assert main.list_commands(CONTEXT) == [
        "calibrate",
        "check",
        "confirm",
        "demo",
        "embed",
        "evaluate",
        "fit",
        "info",
        "report",
        "score",
        "watch",
        "weights",
    ]


@pytest.mark.parametrize("name", main.list_commands(CONTEXT))
def test_the_list_shows_the_first_sentence_of_the_help_of_a_command(name):
    command = main.get_command(CONTEXT, name)
    assert command.name == name
    assert command.help.split("\n\n")[0] == main.lazy_commands[name]


def test_an_unknown_command_is_an_error_of_the_command_line(run):
    result = run("train")
    assert result.exit_code == 2
    assert "No such command 'train'" in result.stderr


def test_a_name_is_completed_with_commands_and_options():
    assert [item.value for item in main.shell_complete(CONTEXT, "f")] == ["fit"]
    assert "--debug" in [item.value for item in main.shell_complete(CONTEXT, "--")]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_help_and_the_version_of_the_program_import_no_command(arguments):
    code = (
        "import sys\n"
        "from skaudio_ad.cli import main\n"
        f"main({arguments}, standalone_mode=False)\n"
        "assert not {'numpy', 'sklearn', 'torch', 'librosa', 'matplotlib'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
