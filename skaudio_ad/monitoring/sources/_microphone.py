"""`MicrophoneSource`: a microphone or a sound card."""

import contextlib
import math
from typing import Any

from ..._checks import check_number
from ..._clip_errors import shown
from ._live_buffer import MAX_SECONDS
from ._live_source import LiveSource
from ._notices import as_text, make_notice, seconds_text
from ._source import SourceError, SourceInfo
from ._timing import Timer

# Number of seconds of a block.
_BLOCK_SECONDS = 0.5
# Maximum number of seconds of one loss. A greater number is a fault of the driver.
_LONGEST_LOSS = 3600.0
# Maximum number of devices in a message.
_SHOWN = 20


class MicrophoneSource(LiveSource):
    """A microphone or a sound card, through PortAudio.

    Needs the package ``sounddevice``, which is part of the extra ``monitor``.

    Parameters
    ----------
    device : str, int or None, default=None
        Name of the device, a part of the name that only one device has, or its number. None is the default device of
        the computer. A name is better than a number, because numbers change when a device is unplugged.
    sample_rate : int or None, default=None
        Samples per second, in hertz. None is the default rate of the device.
    n_channels : int, default=1
        Number of channels. The default suits most microphones.
    patience : float, default=3.0
        Seconds without sound after which the device is reported as lost and opened again. Blocks arrive twice a second,
        so the default waits for six blocks.
    buffer : float, default=30.0
        Maximum number of seconds of sound that wait to be scored. Older sound is dropped, with a notice "overrun".
    timer : Timer or None, default=None
        Clocks, for tests. None takes the clocks of the computer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Notes
    -----
    A device that vanishes gives a notice "lost", is tried again after 1, 2, 4, ... 60 s, and gives a notice "back" with
    the duration of the gap. Sound that the device has dropped gives a notice "overrun". A restart cannot go back.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sources import MicrophoneSource
    >>> MicrophoneSource("USB", sample_rate=16000).name
    'mic:USB'
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        sample_rate: int | None = None,
        n_channels: int = 1,
        patience: float = 3.0,
        buffer: float = MAX_SECONDS,
        timer: Timer | None = None,
    ) -> None:
        check_number(sample_rate, "sample_rate", low=1, integer=True, none=True)
        check_number(n_channels, "n_channels", low=1, integer=True)
        check_number(patience, "patience", low=1)
        check_number(buffer, "buffer", low=1)
        if device is not None and not isinstance(device, (str, int)):
            raise TypeError(f"device must be a name, a number or None, got {device!r}.")
        super().__init__(as_text(f"mic:{'' if device is None else device}"), patience, buffer, timer)
        self._device = None if device == "" else device
        self._sample_rate, self._n_channels = sample_rate, n_channels
        self._input: Any = None
        self._was_tried = False
        self._rate, self._next_time = 0, math.nan

    def _start(self):
        sounddevice = _sounddevice()
        if self._was_tried:
            # PortAudio lists the devices once. Only a new start finds a device that was plugged in again.
            sounddevice._terminate()
            sounddevice._initialize()
        self._was_tried, self._input = True, None
        try:
            found = _find_device(sounddevice, self._device)
            self._rate = int(self._sample_rate or found["default_samplerate"])
            self._next_time = math.nan
            self._input = sounddevice.InputStream(
                device=found["index"],
                samplerate=self._rate,
                channels=self._n_channels,
                dtype="float32",
                blocksize=round(_BLOCK_SECONDS * self._rate),
                callback=self._hear,
            )
            self._input.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            self._stop()
            raise SourceError(
                f"{shown(self.name)}: cannot be opened ({shown(error)}). Check that no other program uses the device, "
                "and that the device has the sample rate and the number of channels."
            ) from error

    def _stop(self):
        if self._input is not None:
            # abort does not wait, also where the device has vanished. A vanished device may refuse both calls.
            for call in (self._input.abort, self._input.close):
                with contextlib.suppress(_sounddevice().PortAudioError):
                    call()

    def _info(self):
        return SourceInfo(self._rate, self._n_channels, live=True)

    def _is_alive(self):
        return bool(self._input.active)

    def _why_lost(self, end):
        if not self._is_alive():
            return "The device has stopped. Check its cable.", False
        return super()._why_lost(end)

    def _hear(self, samples, n_frames, times, status):
        """Take one block from PortAudio, in its own thread."""
        begin = times.inputBufferAdcTime
        if status.input_overflow:
            lost = begin - self._next_time
            if not 0 < lost < _LONGEST_LOSS:  # some drivers tell no times
                lost = math.nan
            self._buffer.put_notice(self._overrun(lost), follows=False)
            if not math.isnan(lost):
                self._buffer.skip(lost)
        self._next_time = begin + n_frames / self._rate
        self._buffer.put(samples.copy(), self._rate, may_wait=False)

    def _overrun(self, lost):
        much = "Some sound was" if math.isnan(lost) else f"{seconds_text(lost)} of sound were"
        return make_notice(
            "overrun",
            self.name,
            self._timer.now(),
            f"{shown(self.name)}: {much} lost between the device and the program, because the computer was too busy.",
            duration=lost,
        )


def list_microphones() -> list[str]:
    """Return the names of the devices that can record.

    Needs the package ``sounddevice``, which is part of the extra ``monitor``.

    Returns
    -------
    list of str
        Names for :class:`MicrophoneSource`.

    Raises
    ------
    ImportError
        If ``sounddevice`` is not installed.
    SourceError
        If PortAudio is not installed.
    """
    return [device["name"] for device in _inputs(_sounddevice())]


def _inputs(sounddevice):
    return [device for device in sounddevice.query_devices() if device["max_input_channels"] > 0]


def _find_device(sounddevice, wanted):
    if wanted is None:
        return sounddevice.query_devices(kind="input")
    inputs = _inputs(sounddevice)
    if isinstance(wanted, int):
        found = [device for device in inputs if device["index"] == wanted]
    else:
        found = [device for device in inputs if device["name"] == wanted] or [
            device for device in inputs if wanted.lower() in device["name"].lower()
        ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(repr(shown(device["name"])) for device in inputs[:_SHOWN]) or "none"
    problem = "no microphone has this name or number" if not found else "several microphones match"
    raise SourceError(f"mic:{shown(wanted)}: {problem}. The microphones of this computer: {names}.")


def _sounddevice():
    try:
        import sounddevice
    except ImportError as error:
        raise ImportError(
            "MicrophoneSource needs the package sounddevice: pip install 'skaudio_ad[monitor]'."
        ) from error
    except OSError as error:
        raise SourceError(
            f"a microphone needs the library PortAudio ({error}): apt install libportaudio2, or brew install portaudio."
        ) from error
    return sounddevice
