"""Run a command for an event."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from ..._checks import check_number
from ..._typing import PathLike
from ._format import to_json
from ._outbox import RefusedError, RetryLaterError
from ._outbox_sink import OutboxSink
from ._problems import MAX_TEXT, printable
from ._sink import MonitorInfo

# Exit code of a command that wants to be called again later (EX_TEMPFAIL of sysexits.h).
_TRY_AGAIN = 75
# Maximum number of bytes of the output of a command that are kept.
_MAX_OUTPUT = 65_536
# Maximum number of characters of a variable of the environment. Linux allows 128 KiB.
_MAX_VARIABLE = 4096
# Number of seconds between the request to end and the kill of a command that takes too long.
_GRACE = 2.0


class CommandSink(OutboxSink):
    """Run a command for every event.

    The command gets the record as JSON on standard input, and the entries of the record as variables of the
    environment: SKAUDIO_AD_TYPE, SKAUDIO_AD_EVENT_ID, SKAUDIO_AD_EVENT_STATE, SKAUDIO_AD_EVENT_SCORE, and so on. The
    arguments are always the same, and no shell reads them, so that no text of a record is ever run.

    Commands run one after the other. A command that returns 0 has succeeded. A command that returns 75 is run again
    later. Any other exit code, a command that is missing, and a command that takes too long are reported. The record is
    then kept in the folder "refused" of the spool, because running the command again might repeat what it has done.

    Parameters
    ----------
    argv : sequence of str
        Program and its arguments, such as ["notify-send", "Alarm"].
    on : iterable of {"raised", "cleared", "notice", "window"}, default=("raised",)
        Records for which the command runs.
    timeout : float, default=60.0
        Maximum duration of the command, in seconds. The command and the processes that it has started are then ended.
    name : str, default="command"
        Name for messages and for the spool in the folder of the monitor.

    Examples
    --------
    >>> CommandSink(["logger", "the fan sounds wrong"])
    CommandSink('logger', on=('raised',))
    """

    def __init__(
        self,
        argv: Sequence[PathLike],
        *,
        on: Iterable[str] = ("raised",),
        timeout: float = 60.0,
        name: str = "command",
    ) -> None:
        super().__init__(name, on, timeout)
        self.argv = argv

    def __repr__(self) -> str:
        program = self.argv if isinstance(self.argv, str) else os.fspath(self.argv[0]) if self.argv else ""
        return f"CommandSink({program!r}, on={self.on!r})"  # arguments may hold passwords

    def open(self, info: MonitorInfo) -> None:
        """Check the command, and begin to run commands for what an earlier run has left in the spool.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        OSError
            If the program is not found, or the spool cannot be used.
        TypeError
            If `argv` is one text and no list.
        ValueError
            If a parameter is invalid.
        """
        if isinstance(self.argv, (str, bytes)) or not self.argv:
            raise TypeError(
                f"argv must be a list of the program and its arguments, such as ['mail', '-s', 'Alarm'], got "
                f"{self.argv!r}. No shell reads the command: write ['sh', 'script.sh'] if you need one."
            )
        check_number(self.timeout, "timeout", low=0, closed="neither")
        if shutil.which(self.argv[0]) is None:
            raise FileNotFoundError(
                f"the program {os.fspath(self.argv[0])!r} is not found or is not executable. Give its full path."
            )
        super().open(info)

    def deliver(self, entry: dict[str, Any]) -> None:
        """Run the command for one record.

        Parameters
        ----------
        entry : dict

        Raises
        ------
        RetryLaterError
            If the command returns 75.
        RefusedError
            If the command fails.
        """
        program = os.fspath(self.argv[0])
        with tempfile.TemporaryFile() as record:  # a file, because a command may read nothing of a pipe
            record.write(to_json(entry).encode() + b"\n")
            record.seek(0)
            try:
                process = subprocess.Popen(
                    [os.fspath(word) for word in self.argv],
                    stdin=record,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=os.environ | variables(entry),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise RefusedError(f"{program!r} cannot be run: {error}") from error
        output = _Output(process.stdout)
        try:
            code = process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise RefusedError(
                f"{program!r} took more than {self.timeout:g} s and was ended. {output.text()}"
            ) from None
        if code == _TRY_AGAIN:
            raise RetryLaterError(f"{program!r} wants to be run again later. {output.text()}")
        if code:
            raise RefusedError(f"{program!r} has failed with exit code {code}. {output.text()}")


def variables(entry: dict[str, Any]) -> dict[str, str]:
    """Return a record as variables of the environment.

    Parameters
    ----------
    entry : dict
        Result of ``record_to_dict``.

    Returns
    -------
    dict of {str: str}
        "SKAUDIO_AD_TYPE", and every other entry under its name in capitals after "SKAUDIO_AD_EVENT_",
        "SKAUDIO_AD_NOTICE_" or "SKAUDIO_AD_WINDOW_". None is an empty text. Long texts are cut, and control characters
        become spaces.
    """
    kind = entry["type"]
    texts = {"SKAUDIO_AD_TYPE": kind}
    for name, value in entry.items():
        if name != "type":
            text = (
                ""
                if value is None
                else to_json(value)
                if isinstance(value, (dict, list, bool))
                else str(value)
            )
            texts[f"SKAUDIO_AD_{kind}_{name}".upper()] = printable(text, _MAX_VARIABLE)
    return texts


class _Output:
    """Output of a process. The first bytes are kept, and a thread reads the others so that the process never waits."""

    def __init__(self, pipe):
        self._content = b""
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            while chunk := pipe.read1(65_536):
                self._content = (self._content + chunk)[:_MAX_OUTPUT]

    def text(self) -> str:
        """Return the first output, for a message."""
        self._thread.join(0.5)  # a process in the background may hold the pipe
        text = printable(self._content.decode("utf-8", "replace").strip(), MAX_TEXT)
        return f"Its output: {text}" if text else "There was no output."


def _end(process):
    """End a process and the processes that it has started."""
    try:
        group = os.getpgid(process.pid) if hasattr(os, "killpg") else None
    except ProcessLookupError:
        group = None
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group is None:
                process.kill()
            else:
                os.killpg(group, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
