"""Errors of single clips: how a message names the clip, and whether the clip is left out."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

# Categories of Unicode that are unsafe in a terminal: they move the cursor, change the direction of writing, show
# nothing, or are not characters.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def shown(text: object) -> str:
    r"""Make a text safe for a terminal: one line, without control characters.

    A file name may hold control characters. Such a name could forge a row of a table, or send a command to the
    terminal.

    Parameters
    ----------
    text : object
        Any object; its text form is shown.

    Returns
    -------
    str
        Text in which control characters, line breaks and marks of direction are escapes (``\n``, ``\x1b``,
        ``\u202e``). A byte of a file name that is not UTF-8 is an escape too (``\xff``).
    """
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in str(text))


def _escape(char):
    if "\udc80" <= char <= "\udcff":  # a byte of a file name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


class Named:
    """Mixin for sequences of clips that know the name of every clip.

    Attributes
    ----------
    origin : sequence or None
        Files that the clips come from. The files know whether a clip that cannot be used is left out. None where
        the clips come from no files.
    """

    origin: Any = None

    def name(self, index: int) -> str:
        """Return the name of clip `index` for messages."""
        raise NotImplementedError

    def missing(self, index: int) -> Any:
        """Return the array of NaN that replaces clip `index` where the clip is left out."""
        import numpy as np  # here, because the program shows its help without NumPy

        return np.full_like(self[index], np.nan)  # type: ignore[index]


class ClipError(ValueError):
    """One clip breaks a rule. The step that raises it states the rule; the caller adds the name of the clip.

    Attributes
    ----------
    named : bool
        Whether the message begins with the name of the clip.
    reason : str
        The message without that name.
    """

    named = False
    reason = ""

    def of(self, items: Any, index: int) -> "ClipError":
        """Return the same error with the name of the clip in front, unless the message has one already."""
        if self.named:
            return self
        name = items.name(index) if isinstance(items, Named) else f"clip {index}"
        error = ClipError(f"{shown(name)}: {self}")
        error.named, error.reason = True, str(self)
        return error


def leave_out(items: Any, index: int, error: Exception) -> None:
    """Leave out a clip that a step cannot use, if the loader allows it. Otherwise raise, and name the clip.

    Parameters
    ----------
    items : sequence
        Clips. Lazy sequences of files know ``on_error``, and so do lists that a step computed from such
        sequences.
    index : int
        Position of the clip.
    error : Exception
        Error that the clip has caused.

    Raises
    ------
    Exception
        `error` with the name of the clip, unless the clip is left out.
    """
    origin = items.origin if isinstance(items, Named) else None
    if origin is not None and origin.skips:
        origin.note_left_out(items.name(index), explain(error))
    elif isinstance(error, ClipError):
        named = error.of(items, index)
        raise named from (error.__cause__ if named is error else error)
    else:
        raise error


def explain(error: Exception) -> str:
    """Return the message of an exception without the name of the clip. Unexpected kinds of errors are named."""
    reason = getattr(error, "reason", "") or str(error)
    return reason if isinstance(error, ValueError) else f"{type(error).__name__}: {reason}"


class ClipList(Named, list):
    """List of clips of different lengths that a step has computed from files, with the names of the files.

    Parameters
    ----------
    clips : iterable of ndarray
    names : list of str
        Names of the clips for messages.
    origin : LazySequence
        Files that the clips come from. The files know whether a clip that cannot be used is left out.
    """

    def __init__(self, clips: Iterable[Any], names: list[str], origin: Any) -> None:
        super().__init__(clips)
        self.names, self.origin = names, origin

    def name(self, index: int) -> str:
        """Return the name of clip `index` for messages."""
        return self.names[index]


def with_names(clips: list[Any], source: Sequence[Any] | None) -> list[Any]:
    """Add the names of the files to a list of clips. Clips that come from no files are returned unchanged.

    Parameters
    ----------
    clips : list of ndarray
        One array for every clip of `source`, in the same order.
    source : sequence

    Returns
    -------
    list of ndarray
    """
    origin = source.origin if isinstance(source, Named) else None
    if origin is None:
        return clips
    return ClipList(clips, [source.name(index) for index in range(len(clips))], origin)


def without_advice(reason: str) -> str:
    """Remove the advice to leave a file out from the reason why the file was left out.

    Parameters
    ----------
    reason : str

    Returns
    -------
    str
    """
    return re.sub(',? or leave it out with on_error="skip"', "", reason)
