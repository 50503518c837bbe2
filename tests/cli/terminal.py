"""A terminal without a window, to test the text that a person sees."""

import contextlib
import os
import pty
import re
import sys
import termios
import threading

_STEP = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]")


def seen_on_screen(written):
    """Return the final lines of a terminal of unlimited size.

    Parameters
    ----------
    written : str
        Text with the control sequences that rich uses: up, erase the line, cursor and colours.

    Returns
    -------
    list of str
        Lines without the empty lines at the end.
    """
    lines, row, column = [""], 0, 0
    for step in _STEP.finditer(written):
        text, count, command = step[0], step[1], step[2]
        if command == "A":
            row = max(0, row - int(count or 1))
        elif command == "K":
            assert count == "2"
            lines[row] = ""
        elif text == "\r":
            column = 0
        elif text == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif command is None:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in "\n".join(lines).rstrip().split("\n")]


class Terminal:
    """Text that was written to a terminal."""

    def __init__(self):
        self.written = ""

    @property
    def screen(self):
        return seen_on_screen(self.written)


@contextlib.contextmanager
def terminal(monkeypatch, *names):
    """Connect streams of this process, "stdout" or "stderr", to one terminal during the block."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # write \n without \r
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    made = Terminal()

    def read():
        with contextlib.suppress(OSError):  # Linux raises OSError if the other end is closed
            while data := os.read(ours, 1 << 16):
                made.written += data.decode("utf-8")

    reader = threading.Thread(target=read)
    reader.start()
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "80")
        for name in names:
            patch.setattr(sys, name, os.fdopen(os.dup(theirs), "w", encoding="utf-8"))
        try:
            yield made
        finally:
            for name in names:
                getattr(sys, name).close()
            os.close(theirs)
            reader.join()
            os.close(ours)
