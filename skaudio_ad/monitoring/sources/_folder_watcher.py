"""Find the files of a folder that are complete, without opening them."""

import fnmatch
import math
import os
import stat
from collections.abc import Iterator

import soundfile

from ._folder_ledger import FileState, Ledger
from ._timing import Timer

# Endings of files that another program has not finished.
_TEMPORARY = {"part", "tmp", "temp", "partial", "crdownload", "filepart", "swp"}
# Number of seconds after which a file that has not changed is complete at the first look.
_OLD = 60.0
# Maximum number of seconds between two looks at all files. The time of modification of a folder does not change when a
# file is written over, and some network drives report the time late.
_FULL_LOOK = 60.0
# Number of nanoseconds for which the time of modification of a folder may hide a further change.
_RACE = 2_000_000_000


class Waiting:
    """A file that is not taken yet.

    Attributes
    ----------
    state : FileState
    since : float
        When the file was last seen to change, in seconds of the monotonic clock.
    was_tried : bool
        Whether the file could not be read at a first try.
    """

    def __init__(self, state: FileState, since: float) -> None:
        self.state, self.since, self.was_tried = state, since, False


class FolderWatcher:
    """The files of a folder that wait to be read.

    Parameters
    ----------
    folder : str
    pattern : str or None
        Pattern of names, such as ``mic1_*.wav``. None takes the endings of formats that libsndfile decodes.
    settle : float
        Seconds without a change after which a file is complete.
    patience : float
        Seconds without a change after which a file that cannot be read is given up.
    ledger : Ledger
    timer : Timer
    """

    def __init__(
        self, folder: str, pattern: str | None, settle: float, patience: float, ledger: Ledger, timer: Timer
    ) -> None:
        self._folder, self._pattern = folder, pattern.lower() if pattern else None
        self._endings = {name.lower() for name in soundfile.available_formats()} | {"aif", "oga", "opus"}
        self._settle, self._patience, self._ledger, self._timer = settle, patience, ledger, timer
        self.waiting: dict[str, Waiting] = {}
        self._done: dict[str, FileState] = {}
        self._looked_at, self._folder_time = -math.inf, -1
        self.vanished: list[FileState] = []
        self.late: list[FileState] = []

    def wants(self, name: str) -> bool:
        """Whether the name is that of a finished file of sound."""
        suffixes = name.lower().split(".")[1:]
        if name.startswith(".") or name.endswith("~") or not _TEMPORARY.isdisjoint(suffixes):
            return False
        if self._pattern is not None:
            return fnmatch.fnmatchcase(name.lower(), self._pattern)
        return bool(suffixes) and suffixes[-1] in self._endings

    def look(self) -> list[Waiting]:
        """Look at the folder, and return the files that may be read, in the order of time of modification and name.

        Raises
        ------
        OSError
            If the folder cannot be listed.
        """
        now = self._timer.monotonic()
        folder_time = os.stat(self._folder).st_mtime_ns
        quiet = folder_time == self._folder_time and now - self._looked_at < _FULL_LOOK
        if quiet:
            for name in list(self.waiting):
                self._see(self._state_of(name), now)
        else:
            states = [state for state in self._list() if state is not None]
            self._look_at_all(states, now)
            # A folder that has changed just now may change again within the same tick of its clock.
            recent = abs(int(self._timer.now() * 1e9) - folder_time) < _RACE
            self._looked_at, self._folder_time = now, -1 if recent else folder_time
        ready = [item for item in self.waiting.values() if self._is_ready(item, now)]
        return sorted(ready, key=lambda item: item.state.order)

    def _look_at_all(self, states, now):
        names = {state.name for state in states}
        inodes = {state.inode for state in states}
        for name in [name for name in self.waiting if name not in names]:
            item = self.waiting.pop(name)
            if item.state.size and item.state.inode not in inodes:  # the file was not renamed
                self.vanished.append(item.state)
        for state in states:
            self._see(state, now)
        self._done = {name: state for name, state in self._done.items() if name in names}
        self._ledger.note_look(int(self._timer.now() * 1e9))

    def _list(self) -> Iterator[FileState | None]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if self.wants(entry.name):
                    yield self._state_of(entry.name)

    def _state_of(self, name):
        try:
            status = os.stat(os.path.join(self._folder, name))
        except OSError:  # the file was removed, or is a link to a missing file
            return None
        return None if stat.S_ISDIR(status.st_mode) else FileState.of(name, status)

    def _see(self, state, now):
        """Compare a file with what was seen before."""
        if state is None or state.same_content(self._done.get(state.name)):
            return
        item = self.waiting.get(state.name)
        if item is not None and state.same_content(item.state):
            return
        if self._ledger.is_taken(state):
            self.finish(state)
            return
        first_look = math.isinf(self._looked_at)
        if first_look and self._ledger.is_older(state):
            if self._ledger.was_there(state):
                self.finish(state)
                return
            self.late.append(state)
        age = self._timer.now() - state.mtime_ns / 1e9
        known = item is not None or not first_look
        self.waiting[state.name] = Waiting(state, now if known or age < _OLD else now - age)

    def _is_ready(self, item, now):
        # A second try comes at the end of the patience only, and so does the first try of an empty file.
        return now - item.since >= (self._patience if item.was_tried or not item.state.size else self._settle)

    def finish(self, state: FileState) -> None:
        """Stop waiting for a file: the file is taken, until it changes."""
        self.waiting.pop(state.name, None)
        self._done[state.name] = state
        self._ledger.remember_only(self._known())

    def _known(self):
        """Yield the files that were in the folder at the last look."""
        yield from self._done.values()
        for item in self.waiting.values():
            yield item.state

    def is_final(self, item: Waiting) -> bool:
        """Whether a file that cannot be read now is given up."""
        return self._timer.monotonic() - item.since >= self._patience

    def wait_again(self, state: FileState) -> None:
        """Begin to wait again for a file that has changed."""
        self.waiting.pop(state.name, None)
        self._done.pop(state.name, None)
        self.look_soon()

    def look_soon(self) -> None:
        """Look at all files next time."""
        self._folder_time = -1

    def leave_out(self) -> None:
        """Take the files that are in the folder, but for a file that is being written."""
        for item in list(self.waiting.values()):
            if self._timer.now() - item.state.mtime_ns / 1e9 >= self._settle:
                self._ledger.take(item.state.digest)
                self.finish(item.state)
