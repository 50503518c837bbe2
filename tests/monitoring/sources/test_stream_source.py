"""Network streams, with a stand-in for ffmpeg, and with ffmpeg where it is installed."""

import http.server
import io
import shutil
import sys
import threading

import numpy as np
import pytest
import soundfile

from skaudio_ad.monitoring.sources import SourceError, StreamSource, open_source

from .fake_timer import blocks_of, notices_of

RATE = 800
# Writes its arguments and a wav file without a length, says something on stderr, and ends or waits.
STAND_IN = """#!{python} -IS
import os, sys, time
folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "arguments"), "a") as file:
    file.write("\\n".join(sys.argv[1:]) + "\\n---\\n")
sys.stderr.write("[rtsp] rtsp://user:se%cret@host/x: 401 se%cret Unauthorized\\x1b[31m\\n" * {n_lines})
sys.stderr.flush()
if {code} == 0:
    sys.stdout.buffer.write(open(os.path.join(folder, "sound.wav"), "rb").read())
    sys.stdout.buffer.flush()
if {waits}:
    time.sleep(60)
sys.exit({code})
"""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("skaudio_ad.monitoring.sources._pipe_reader.SLICE", 0.02)
    monkeypatch.setattr("skaudio_ad.monitoring.sources._live_buffer.SLICE", 0.02)
    monkeypatch.setattr("skaudio_ad.monitoring.sources._live_source._FIRST_DELAY", 0.01)


@pytest.fixture
def samples():
    return np.random.RandomState(0).uniform(-1, 1, 1000).astype(np.float32)


@pytest.fixture
def make_program(tmp_path, samples):
    """Function that writes a stand-in for ffmpeg."""

    def make(code=0, waits=False, n_lines=1):
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, subtype="FLOAT", format="WAV")
        data = file.getvalue()
        index = data.index(b"data") + 4
        (tmp_path / "sound.wav").write_bytes(data[:index] + b"\xff\xff\xff\xff" + data[index + 4 :])
        path = tmp_path / "ffmpeg"
        path.write_text(STAND_IN.format(python=sys.executable, code=code, waits=waits, n_lines=n_lines))
        path.chmod(0o755)
        return str(path)

    return make


def take_until(stream, n_items):
    items = []
    for item in stream:
        if item is not None:
            items.append(item)
        if len(items) == n_items:
            break
    return items


def test_the_address_is_one_argument_that_is_no_option(tmp_path, make_program):
    url = "http://host/$(touch%20x);-y?a=`b`&c='d'"
    source = StreamSource(url, program=make_program(), sample_rate=16000, n_channels=1, reconnect=False)
    list(source.stream())
    source.close()
    arguments = (tmp_path / "arguments").read_text().split("\n---\n")[0].split("\n")
    assert arguments[arguments.index("-i") + 1] == url
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "http,https,tcp,tls,crypto"
    assert arguments[arguments.index("-ar") + 1] == "16000"
    assert arguments[-1] == "pipe:1"


def test_a_stream_that_ends_is_started_again_and_its_gap_is_reported(make_program, samples):
    source = StreamSource("rtsp://user:se%cret@host/x", program=make_program())
    info = source.describe()
    assert (info.sample_rate, info.n_channels, info.live) == (RATE, 1, True)
    items = take_until(source.stream(), 8)
    source.close()
    assert [getattr(item, "kind", "block") for item in items] == ["block"] * 3 + ["lost", "back"] + [
        "block"
    ] * 3
    np.testing.assert_array_equal(
        np.concatenate([block.samples[:, 0] for block in blocks_of(items)[3:]]), samples
    )
    lost, back = notices_of(items)
    assert "The stream has ended. ffmpeg says: [rtsp] rtsp://host/x: 401 *** Unauthorized" in lost.text
    assert "\x1b" not in lost.text
    assert back.duration >= 0.0
    assert blocks_of(items)[0].stream != blocks_of(items)[-1].stream


def test_a_recording_behind_an_address_is_played_once_if_asked(make_program):
    source = StreamSource("http://host/x.wav", program=make_program(), reconnect=False)
    items = [item for item in source.stream() if item is not None]
    source.close()
    assert [item.kind for item in notices_of(items)] == ["end"]
    assert len(blocks_of(items)) == 3


def test_a_stream_that_cannot_be_opened_is_refused_with_the_words_of_ffmpeg(make_program):
    source = StreamSource("rtsp://user:se%cret@host/x", program=make_program(code=1, n_lines=100))
    with pytest.raises(SourceError, match=r"rtsp://host/x: gives no sound. ffmpeg says: .*401") as caught:
        source.describe()
    assert "se%cret" not in str(caught.value)
    assert str(caught.value).count("401") == 5
    source.close()


def test_a_stream_that_falls_silent_is_started_again_and_stopped_at_the_end(make_program):
    source = StreamSource("rtsp://host/x", program=make_program(waits=True), patience=0.5)
    items = take_until(source.stream(), 5)
    assert [getattr(item, "kind", "block") for item in items] == ["block"] * 3 + ["lost", "back"]
    assert "No sound has arrived for 0.5 s" in items[3].text
    process = source._process
    source.close()
    assert process.poll() is not None


def test_a_stream_that_stays_away_is_reported_once(tmp_path, make_program, monkeypatch):
    source = StreamSource("rtsp://host/x", program=make_program())
    stream = source.stream()
    take_until(stream, 3)
    make_program(code=1)
    items = take_until(stream, 1)
    while (tmp_path / "arguments").read_text().count("---") < 4:
        items.append(next(stream))
    make_program()
    items += take_until(stream, 2)
    source.close()
    kinds = [getattr(item, "kind", "block") for item in items if item is not None]
    assert kinds == ["lost", "back", "block"]


def test_a_missing_program_is_named():
    with pytest.raises(
        SourceError, match=r"needs the program no-such-ffmpeg, which is not installed: apt install"
    ):
        StreamSource("http://host/x", program="no-such-ffmpeg").describe()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "must begin with rtsp://"),
        ("-i", "must begin with rtsp://"),
        ("http://", "and a host"),
        ("http://host/a b", "no space"),
        ("http://host/a\nb", "no space and no control character"),
        ("http://[::1/x", "url is no address"),
    ],
)
def test_an_address_of_another_form_is_refused(url, message):
    with pytest.raises(ValueError, match=message):
        StreamSource(url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://user:p@ss@host:554/x", "rtsp://host:554/x"),
        ("http://host/x?user=a&password=b%20c&channel=1", "http://host/x?user=a&password=***&channel=1"),
        ("https://host/x@y?api_key=123", "https://host/x@y?api_key=***"),
    ],
)
def test_the_name_holds_no_password(url, name):
    assert open_source(url).name == name
    with pytest.raises(ValueError, match="no space") as caught:
        StreamSource(url + " ")
    assert name in str(caught.value)


@pytest.fixture
def server(tmp_path, samples):
    """Address of a server with one recording, without a log."""
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_ffmpeg_reads_a_recording_from_a_server(server, samples):
    source = StreamSource(f"{server}/x.wav", reconnect=False)
    assert source.describe().sample_rate == RATE
    items = [item for item in source.stream() if item is not None]
    source.close()
    np.testing.assert_allclose(
        np.concatenate([b.samples[:, 0] for b in blocks_of(items)]), samples, atol=1e-6
    )
    source = StreamSource(f"{server}/gone.wav")
    with pytest.raises(SourceError, match="404"):
        source.describe()
    source.close()
