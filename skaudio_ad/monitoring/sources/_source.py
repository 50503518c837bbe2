"""The protocol of a source."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from .._records import Block, Notice


class SourceError(OSError):
    """A source that cannot be opened or that has ended for good. The message says what to do."""


@dataclass(frozen=True)
class SourceInfo:
    """What is known about a source before the first block.

    Attributes
    ----------
    sample_rate : int or None
        Samples per second, in hertz. None if the source tells the rate with its first block.
    n_channels : int or None
        Number of channels. None if unknown.
    live : bool
        Whether the sound arrives in real time. Sound that is not taken in time is lost then.
    """

    sample_rate: int | None
    n_channels: int | None
    live: bool


@runtime_checkable
class Source(Protocol):
    """Protocol of a source of sound.

    Attributes
    ----------
    name : str
        Name for people and for the names of events, such as the path of a folder. The name holds no password.
    """

    name: str

    def describe(self) -> SourceInfo:
        """Open the source far enough to say what it gives.

        Returns
        -------
        SourceInfo

        Raises
        ------
        SourceError
        """
        ...

    def stream(self, position: Any = None) -> Iterator[Block | Notice | None]:
        """Yield blocks of sound and notices, in the order of time.

        A source that waits yields None at least once a second, so that its consumer can stop. A source that loses sound
        yields a :class:`Notice` with the duration of the gap before the next block.

        Parameters
        ----------
        position : object, default=None
            ``position`` of the last block that was used before a restart. None begins anew.

        Yields
        ------
        Block, Notice or None
        """
        ...

    def close(self) -> None:
        """Release devices, processes and files. May be called from another thread and more than once."""
        ...
