"""One clip that breaks a rule: what it is called, and whether it ends everything or is left out."""

import unicodedata
from typing import Any

import numpy as np

# Categories of Unicode that move the cursor, turn the direction of writing, show nothing or are no characters.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def shown(text):
    r"""A text as it may go to a terminal: one line, and no character that a terminal obeys.

    File names may hold such characters, and could forge a row of a table or send a command to the terminal.

    Parameters
    ----------
    text : object
        Anything with a text form.

    Returns
    -------
    str
        Control characters, line breaks and marks of direction are written as escapes (``\n``, ``\x1b``, ``\u202e``),
        and so is a byte of a file name that is not UTF-8 (``\xff``).
    """
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in str(text))


def _escape(char):
    if "\udc80" <= char <= "\udcff":  # how Python holds a byte of a file name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


class Named:
    """Mixin for sequences of clips that know what each clip is called.

    Attributes
    ----------
    origin : sequence or None
        The files that the clips are from, which know whether to leave out a clip that cannot be used; None for
        clips of no files.
    """

    origin: Any = None

    def name(self, index):
        """What to call clip `index` in a message."""
        raise NotImplementedError

    def missing(self, index):
        """What stands for clip `index` once it is left out: NaN throughout."""
        return np.full_like(self[index], np.nan)


class ClipError(ValueError):
    """One clip breaks a rule. Who raises it says the rule; who asked for the clip adds which one it was.

    Attributes
    ----------
    named : bool
        Whether the message begins with the name of the clip.
    reason : str
        The message without that name.
    """

    named = False
    reason = ""

    def of(self, items, index):
        """The same error, with the name of the clip in front unless it has one."""
        if self.named:
            return self
        name = items.name(index) if isinstance(items, Named) else f"clip {index}"
        error = ClipError(f"{shown(name)}: {self}")
        error.named, error.reason = True, str(self)
        return error


def leave_out(items, index, error):
    """Leave out a clip that a step can do nothing with, if its loader says so; else raise, and name the clip.

    Parameters
    ----------
    items : sequence
        The clips. Lazy sequences of files, and lists that steps have computed from them, know what to do
        about a clip that cannot be used (``on_error``).
    index : int
        Position of the clip.
    error : Exception
        What the clip has caused.

    Raises
    ------
    Exception
        `error`, with the name of the clip, unless the clip is left out.
    """
    origin = items.origin if isinstance(items, Named) else None
    if origin is not None and origin.skips:
        origin.note_left_out(items.name(index), explain(error))
    elif isinstance(error, ClipError):
        named = error.of(items, index)
        raise named from (error.__cause__ if named is error else error)
    else:
        raise error


def explain(error):
    """What an exception says, without the clip's name, and with its kind where no rule of ours is broken."""
    reason = getattr(error, "reason", "") or str(error)
    return reason if isinstance(error, ValueError) else f"{type(error).__name__}: {reason}"


class ClipList(Named, list):
    """Clips of different lengths that a step has computed from files, with the names of these files.

    Parameters
    ----------
    clips : iterable of ndarray
    names : list of str
        What to call the clips in a message.
    origin : LazySequence
        The files, which know whether to leave out a clip that cannot be used.
    """

    def __init__(self, clips, names, origin):
        super().__init__(clips)
        self.names, self.origin = names, origin

    def name(self, index):
        """What to call clip `index` in a message."""
        return self.names[index]


def with_names(clips, source):
    """A list of clips with the names that their source knows; `clips` itself where that knows no files.

    Parameters
    ----------
    clips : list of ndarray
        One for every clip of `source`, in order.
    source : sequence

    Returns
    -------
    list of ndarray
    """
    origin = source.origin if isinstance(source, Named) else None
    if origin is None:
        return clips
    return ClipList(clips, [source.name(index) for index in range(len(clips))], origin)
