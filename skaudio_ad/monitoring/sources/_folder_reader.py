"""Read the files of a folder one by one, and report the files that cannot be read."""

import os
from collections.abc import Iterator

from ..._clip_errors import shown
from ...audio._open import AudioReadError
from .._records import Block, Notice
from ._audio_file import open_sound
from ._folder_ledger import FileState, Ledger
from ._folder_times import FolderTimes
from ._folder_watcher import FolderWatcher, Waiting
from ._notices import as_text, make_notice
from ._timing import Timer


class FolderReader:
    """Reads the files of a folder one by one.

    Parameters
    ----------
    folder : str
    watcher : FolderWatcher
    ledger : Ledger
    times : FolderTimes
    timer : Timer
    """

    def __init__(
        self, folder: str, watcher: FolderWatcher, ledger: Ledger, times: FolderTimes, timer: Timer
    ) -> None:
        self._folder, self._watcher, self._ledger, self._times, self._timer = (
            folder,
            watcher,
            ledger,
            times,
            timer,
        )

    def resume(self) -> Iterator[Block | Notice]:
        """Read the rest of the file that was being read before a restart."""
        current = self._ledger.current
        if current is None:
            return
        for item in list(self._watcher.waiting.values()):
            if item.state.digest == current["digest"]:
                yield from self.read(item)
                return
        self._ledger.current = None
        self._ledger.take(current["digest"])
        yield self._notice(
            current["name"],
            "was not read to its end before the restart, and is gone or has changed since. A changed file is read from "
            "its start.",
            f"gone {current['digest']}",
        )

    def read(self, item: Waiting) -> Iterator[Block | Notice]:
        """Yield the blocks of one file. A file that cannot be read yet is tried again later, and then reported."""
        now = self._state_of(item.state.name)
        if now is None:  # the next look finds out whether the file was renamed
            self._watcher.look_soon()
        elif not item.state.same_content(now):
            self._watcher.wait_again(item.state)
        else:
            yield from self._read(item)

    def changes(self) -> Iterator[Notice]:
        """Yield notices about files that have vanished, and about old files that have arrived late."""
        for state in self._watcher.vanished:
            yield self._notice(state.name, "was removed before it could be read.", f"vanished {state.digest}")
        for state in self._watcher.late:
            yield self._notice(
                state.name,
                "is older than the files that the position names, and has arrived or changed while nobody listened. "
                "The file is read, perhaps for the second time.",
                f"late {state.digest}",
            )
        self._watcher.vanished, self._watcher.late = [], []

    def _read(self, item):
        state, rate = item.state, 0
        try:
            with open_sound(os.path.join(self._folder, state.name)) as file:
                current = self._ledger.current
                if current is None or current["digest"] != state.digest:
                    current, notices = self._times.begin(state, file)
                    yield from notices
                self._ledger.current, rate = current, file.sample_rate
                for samples, next_frame, is_last in file.blocks(current["frames"]):
                    time = current["start"] + (next_frame - len(samples)) / rate
                    self._ledger.current = {**current, "frames": next_frame}
                    if is_last:
                        self._take(state, rate)
                    yield Block(time, samples, rate, self._ledger.position(), current["stream"])
                if file.n_frames == 0:
                    raise AudioReadError(file.path, "holds no samples.")
                self._take(state, rate)  # after a restart at the end of the file, no block is left
            if self._was_changed(state):
                yield self._notice(
                    state.name,
                    "was replaced or written to while it was read. The new content is read as a new file.",
                    f"replaced {state.digest}",
                )
        except AudioReadError as error:
            if not rate and not self._watcher.is_final(item):
                item.was_tried = True
                return
            self._take(state, rate)
            further = "The source goes on."
            if self._was_changed(state):
                further = "The file has changed meanwhile, and its new content is read as a new file."
            yield self._notice(state.name, f"{error.reason} {further}", f"bad {state.digest}")

    def _take(self, state, rate):
        """Remember that a file is read. The rate is 0 if the file could not be opened."""
        if self._ledger.current is not None and rate:
            self._times.finish(self._ledger.current, rate)
            self._ledger.current = None
        self._ledger.take(state.digest)
        self._watcher.finish(state)

    def _was_changed(self, state):
        """Whether a file has changed since it was opened. If so, the file waits again. Its removal is no change."""
        now = self._state_of(state.name)
        if now is None or state.same_content(now):
            return False
        self._watcher.wait_again(state)
        return True

    def _state_of(self, name):
        try:
            return FileState.of(name, os.stat(os.path.join(self._folder, name)))
        except OSError:
            return None

    def _notice(self, name, text, key):
        path = os.path.join(self._folder, name)
        return make_notice(
            "file",
            as_text(self._folder),
            self._timer.now(),
            f"{shown(path)}: {text}",
            key=key,
            position=self._ledger.position(),
            path=as_text(path),
        )
