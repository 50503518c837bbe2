"""Microphones, with a stand-in for the module sounddevice."""

import sys
import types

import numpy as np
import pytest

from skaudio_ad.monitoring.sources import MicrophoneSource, SourceError, list_microphones, open_source

from .fake_timer import NOON, FakeTimer, blocks_of, notices_of, take

RATE = 8


class FakeSoundDevice(types.ModuleType):
    """Devices that the test plugs in, unplugs and lets hear."""

    class PortAudioError(Exception):
        pass

    def __init__(self):
        super().__init__("sounddevice")
        self.names = ["Monitor <script>", "USB Mic", "USB Mic 2"]
        self.stream, self.n_initialised, self.hears = None, 1, True
        self.InputStream = lambda **options: FakeStream(self, options)

    def query_devices(self, kind=None):
        devices = [
            {"name": name, "index": index, "max_input_channels": 2, "default_samplerate": float(RATE)}
            for index, name in enumerate(self.names)
        ]
        devices.append(
            {"name": "Speaker", "index": 9, "max_input_channels": 0, "default_samplerate": 48000.0}
        )
        return devices[0] if kind == "input" else devices

    def _terminate(self):
        self.n_initialised -= 1

    def _initialize(self):
        self.n_initialised += 1


class FakeStream:
    def __init__(self, module, options):
        self.module, self.options, self.active, self.time, self.closed = module, options, False, 0.0, False
        if options["channels"] > 2:
            raise module.PortAudioError("Invalid number of channels [PaErrorCode -9998]")

    def start(self):
        self.active, self.module.stream = True, self

    def abort(self):
        self.active = False

    def close(self):
        self.closed = True

    def hear(self, value, overflow=False, lost=0.0):
        size = self.options["blocksize"]
        self.time += lost
        self.options["callback"](
            np.full((size, self.options["channels"]), value, np.float32),
            size,
            types.SimpleNamespace(inputBufferAdcTime=self.time),
            types.SimpleNamespace(input_overflow=overflow),
        )
        self.time += size / self.options["samplerate"]


@pytest.fixture
def module(monkeypatch):
    fake = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture
def timer(module):
    """Let the device hear a block whenever the source waits."""

    def hear():
        if module.hears and module.stream is not None and module.stream.active:
            module.stream.hear(0.5)

    return FakeTimer(on_wait=hear)


def test_a_microphone_gives_blocks_of_half_a_second(module, timer):
    source = MicrophoneSource("Monitor", timer=timer)
    info = source.describe()
    assert (info.sample_rate, info.n_channels, info.live) == (RATE, 1, True)
    stream = source.stream()
    blocks = [next(stream) for _ in range(3)]
    assert [block.samples.shape for block in blocks] == [(4, 1)] * 3
    assert [block.time - NOON for block in blocks] == [0.0, 0.5, 1.0]
    source.close()
    assert list(stream) == []
    assert module.stream.closed


def test_a_device_that_is_unplugged_is_lost_and_found_again(module, timer):
    source = MicrophoneSource("USB Mic 2", timer=timer)
    stream = source.stream()
    items = [next(stream), next(stream)]
    module.names.pop()
    module.stream.active = False
    items += take(stream, n_none=11)
    module.names.insert(0, "USB Mic 2")  # now at another number
    items += [next(stream) for _ in range(30)]
    kinds = [getattr(item, "kind", "block") for item in items if item is not None]
    assert kinds[:6] == ["block", "block", "lost", "back", "block", "block"]
    lost, back = notices_of(items)
    assert "The device has stopped. Check its cable." in lost.text
    assert back.duration == pytest.approx(back.time - (NOON + 1.0))
    assert module.stream.options["device"] == 0
    assert module.n_initialised == 1
    assert len({block.stream for block in blocks_of(items)}) == 2
    source.close()


def test_a_device_that_falls_silent_is_opened_again(module, timer):
    source = MicrophoneSource(1, timer=timer)
    stream = source.stream()
    next(stream)
    module.hears, before = False, module.stream
    (lost,) = take(stream, n_none=8)
    assert lost.time == NOON + 0.5 + 3.0
    assert "No sound has arrived for 3 s" in lost.text
    module.hears = True
    assert [item.kind for item in notices_of([next(stream) for _ in range(9)])] == ["back"]
    assert module.stream is not before
    assert before.closed
    source.close()


def test_sound_that_the_device_drops_is_an_overrun_of_known_duration(module, timer):
    source = MicrophoneSource(0, timer=timer)
    stream = source.stream()
    items = [next(stream)]
    timer.pass_by(2.5)
    module.stream.hear(0.1, overflow=True, lost=2.0)
    items += [next(stream), next(stream)]
    first, notice, second = items
    assert (notice.kind, notice.duration) == ("overrun", 2.0)
    assert second.time == first.time + 0.5 + 2.0
    assert first.stream != second.stream
    module.stream.time = -100.0  # a driver that tells no times
    module.stream.hear(0.1, overflow=True)
    assert np.isnan(next(stream).duration)
    source.close()


def test_a_microphone_that_no_device_matches_is_refused_with_the_names(module):
    with pytest.raises(SourceError, match=r"mic:Built-in: no microphone has this name.*'Monitor <script>', "):
        MicrophoneSource("Built-in").describe()
    with pytest.raises(SourceError, match="several microphones match"):
        MicrophoneSource("usb").describe()
    assert MicrophoneSource("USB Mic").describe().sample_rate == RATE  # the whole name matches one device
    with pytest.raises(SourceError, match=r"mic:0: cannot be opened \(Invalid number of channels"):
        MicrophoneSource(0, n_channels=3).describe()


def test_the_microphones_are_listed(module):
    assert list_microphones() == ["Monitor <script>", "USB Mic", "USB Mic 2"]


def test_a_text_names_a_microphone(module):
    assert open_source("mic:USB Mic 2", sample_rate=16).describe().sample_rate == 16
    assert open_source("mic:").name == "mic:"


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ImportError, match=r"pip install 'skaudio_ad\[monitor\]'"):
        list_microphones()


def test_parameters_of_the_wrong_kind_are_refused():
    with pytest.raises(TypeError, match="device must be a name, a number or None"):
        MicrophoneSource(1.5)
