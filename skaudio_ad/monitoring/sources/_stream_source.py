"""`StreamSource`: RTSP and HTTP streams, through the program ffmpeg."""

import re
import shutil
import subprocess
import threading
import urllib.parse
from collections import deque
from typing import Any

from ..._checks import check_number
from ..._clip_errors import shown
from ._live_buffer import MAX_SECONDS, End
from ._live_source import LiveSource
from ._notices import as_text
from ._pipe_reader import PipeReader
from ._source import SourceError, SourceInfo
from ._timing import Timer

SCHEMES = ("rtsp", "rtsps", "http", "https")
# Protocols that ffmpeg may open. A playlist from outside can then name no file of this computer.
_PROTOCOLS = {
    "http": "http,https,tcp,tls,crypto",
    "rtsp": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https",
}
# Maximum number of lines, and of characters of a line, that are kept of the messages of ffmpeg.
_LINES, _LINE = 5, 300
# A user and a password in a URL.
_LOGIN = re.compile(r"(?<=://)[^/\s?#]*@")
# Values in the query of a URL that give access.
_ACCESS = re.compile(
    r"([?&][^=&\s]*(?:pass|pwd|token|key|secret|auth|sig)[^=&\s]*=)([^&#\s]+)", re.IGNORECASE
)


class StreamSource(LiveSource):
    """A stream of a camera, a network microphone or a radio station, through the program ``ffmpeg``.

    Parameters
    ----------
    url : str
        Address that begins with ``rtsp://``, ``rtsps://``, ``http://`` or ``https://``. The address may hold a user and
        a password, which appear in no message. Other users of the computer can see both in the list of processes.
    sample_rate : int or None, default=None
        Samples per second to which ffmpeg converts, in hertz. None keeps the rate of the stream. A higher rate than
        that of the stream adds no sound above half the rate of the stream.
    n_channels : int or None, default=None
        Number of channels to which ffmpeg mixes. None keeps the channels of the stream.
    reconnect : bool, default=True
        Whether to connect again when the stream ends. A recording behind an address would then begin again, so that
        ``reconnect=False`` suits recordings.
    patience : float, default=20.0
        Seconds without sound after which ffmpeg is started again. The default leaves time to connect, and to wait for a
        picture that other pictures depend on.
    buffer : float, default=30.0
        Maximum number of seconds of sound that wait to be scored. Older sound is dropped, with a notice "overrun".
    program : str, default="ffmpeg"
        Name or path of ffmpeg.
    timer : Timer or None, default=None
        Clocks, for tests. None takes the clocks of the computer.

    Raises
    ------
    TypeError, ValueError
        If the address has another form, or a parameter is out of range.

    Notes
    -----
    A stream that breaks off gives a notice "lost" with the last messages of ffmpeg, is started again after 1, 2, 4, ...
    60 s, and gives a notice "back" with the duration of the gap. Times are those of the arrival, because a stream tells
    no time of its own. A restart cannot go back.

    Examples
    --------
    >>> from skaudio_ad.monitoring.sources import StreamSource
    >>> StreamSource("rtsp://user:secret@camera.local/stream1").name
    'rtsp://camera.local/stream1'
    """

    def __init__(
        self,
        url: str,
        *,
        sample_rate: int | None = None,
        n_channels: int | None = None,
        reconnect: bool = True,
        patience: float = 20.0,
        buffer: float = MAX_SECONDS,
        program: str = "ffmpeg",
        timer: Timer | None = None,
    ) -> None:
        check_number(sample_rate, "sample_rate", low=1, integer=True, none=True)
        check_number(n_channels, "n_channels", low=1, integer=True, none=True)
        check_number(patience, "patience", low=0, closed="right")
        check_number(buffer, "buffer", low=1)
        self._url, self._secrets = _check_url(url)
        super().__init__(as_text(_public(url)), patience, buffer, timer)
        self._sample_rate, self._n_channels, self._reconnect = sample_rate, n_channels, reconnect
        self._program = program
        self._process: Any = None
        self._reader: PipeReader | None = None
        self._messages: deque[str] = deque(maxlen=_LINES)

    def describe(self) -> SourceInfo:
        """Connect, and wait for the first sound for `patience` seconds.

        Returns
        -------
        SourceInfo

        Raises
        ------
        SourceError
            If ffmpeg is missing, or the stream cannot be read. The message holds the last lines of ffmpeg.
        """
        self._run()
        reader = self._reader
        if reader is None or not reader.knows_format.wait(self._patience) or reader.form is None:
            self._halt()
            raise SourceError(
                f"{shown(self.name)}: gives no sound. {self._said()}Check the address and the network."
            )
        return self._info()

    def arguments(self) -> list[str]:
        """Return the command line of ffmpeg. The address follows -i, so that an address is never an option."""
        kind = "rtsp" if self._url.lower().startswith("rtsp") else "http"
        given = [self._program, "-nostdin", "-hide_banner", "-loglevel", "warning"]
        given += ["-protocol_whitelist", _PROTOCOLS[kind]]
        if kind == "rtsp":
            given += ["-rtsp_transport", "tcp"]  # UDP loses packets without a message
        given += ["-i", self._url, "-map", "0:a:0"]
        if self._n_channels is not None:
            given += ["-ac", str(self._n_channels)]
        if self._sample_rate is not None:
            given += ["-ar", str(self._sample_rate)]
        return given + ["-c:a", "pcm_f32le", "-f", "wav", "-flush_packets", "1", "pipe:1"]

    def _start(self):
        program = shutil.which(self._program)
        if program is None:
            raise SourceError(
                f"{shown(self.name)}: a network stream needs the program {shown(self._program)}, which is not "
                "installed: apt install ffmpeg, or brew install ffmpeg."
            )
        self._messages.clear()
        self._process = subprocess.Popen(
            [program, *self.arguments()[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal stops the monitor, and the monitor stops ffmpeg
        )
        self._listener = threading.Thread(
            target=self._keep_messages, args=(self._process.stderr,), name="skaudio_ad ffmpeg", daemon=True
        )
        self._listener.start()
        before = None if self._reader is None else self._reader.form
        self._reader = PipeReader(self._process.stdout, self._buffer, self.name, self._timer, before=before)
        self._reader.start()

    def _stop(self):
        process = self._process
        process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.stop()
        self._listener.join(2.0)
        process.stdout.close()
        process.stderr.close()

    def _info(self):
        rate, n_channels = (self._reader and self._reader.form) or (None, None)
        return SourceInfo(rate, n_channels, live=True)

    def _why_lost(self, end: End | None) -> tuple[str, bool]:
        if end is None:
            reason, _ = super()._why_lost(end)
            return f"{reason} {self._said()}".strip(), False
        code = _wait(self._process)
        failed = code not in (0, None)
        reason = f"ffmpeg has ended with exit code {code}. " if failed else "The stream has ended. "
        return f"{reason}{self._said()}".strip(), not failed and not self._reconnect

    def _said(self):
        """Return the last messages of ffmpeg as one sentence, without secrets."""
        if not self._messages:
            return ""
        return f"ffmpeg says: {'; '.join(list(self._messages))}. "

    def _keep_messages(self, file):
        for line in iter(lambda: file.readline(1 << 16), b""):
            text = _public(line.decode("utf-8", "replace").strip())
            for secret in self._secrets:
                text = text.replace(secret, "***")
            if text:
                self._messages.append(shown(text)[:_LINE])


def _check_url(url):
    """Return the address and the secrets in it."""
    if not isinstance(url, str):
        raise TypeError(f"url must be a text, got {type(url).__name__}.")
    shown_url = shown(_public(url))
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise ValueError(
            f"url must hold no space and no control character (write %20 for a space), got {shown_url!r}."
        )
    try:
        parts = urllib.parse.urlsplit(url)
        host, password = parts.hostname, parts.password
    except ValueError as error:
        raise ValueError(f"url is no address ({error}), got {shown_url!r}.") from None
    if parts.scheme.lower() not in SCHEMES or not host:
        raise ValueError(
            f"url must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)} and a host, got {shown_url!r}."
        )
    secrets = [password or "", *(value for _, value in _ACCESS.findall(url))]
    secrets += [urllib.parse.unquote(secret) for secret in secrets]
    return url, [secret for secret in dict.fromkeys(secrets) if len(secret) > 2]


def _public(text):
    """Return a text without the users, passwords and keys of its addresses."""
    return _ACCESS.sub(r"\1***", _LOGIN.sub("", text))


def _wait(process):
    try:
        return process.wait(2.0)
    except subprocess.TimeoutExpired:
        return None
