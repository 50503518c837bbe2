"""Post records to a web server."""

import base64
import binascii
import contextlib
import email.utils
import hashlib
import hmac
import http.client
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from ..._checks import check_number
from ._format import to_json
from ._outbox import RefusedError, RetryLaterError
from ._outbox_sink import OutboxSink
from ._problems import MAX_TEXT, printable
from ._sink import MonitorInfo

# Maximum number of bytes of an answer that are read.
_MAX_ANSWER = 65_536
# Maximum number of redirects of one delivery.
_MAX_REDIRECTS = 3
# Answers that ask to try again later, besides those of 500 and more (RFC 9110 and RFC 6585).
_TRY_AGAIN = (408, 425, 429)
# Beginning of a secret that is written in base64 (Standard Webhooks).
_PREFIX = "whsec_"


class WebhookSink(OutboxSink):
    """Post every event and notice to a web server, as JSON.

    The body is the record (:func:`record_to_dict`). Records wait in a spool until the server has answered with a code
    from 200 to 299. The server may get a record twice, for instance if its answer is lost: the headers Idempotency-Key
    and webhook-id hold the key of the record, which is then the same.

    ======================================  =====================================================================
    answer                                  what happens
    ======================================  =====================================================================
    2xx                                     The record is delivered.
    408, 425, 429, 5xx, no answer           The record is sent again later, after the seconds or the date of the
                                            header Retry-After if there is one.
    307, 308 to the same host               The record is sent to the new address.
    other codes, redirects to other hosts   The record is put into the folder "refused" of the spool with the
                                            reason, and a notice reports the reason.
    ======================================  =====================================================================

    Parameters
    ----------
    url : str
        Address that begins with "https://" or "http://". A user and a password in the address are sent as Basic
        authorisation. Messages name the host only, because paths often hold a secret too.
    headers : dict of {str: str}, default=None
        Further headers, such as {"Authorization": "Bearer ..."}.
    on : iterable of {"raised", "cleared", "notice", "window"}, default=("raised", "cleared", "notice")
        Records that are posted.
    timeout : float, default=10.0
        Maximum duration of a step of a delivery, in seconds: the connection, or the time without a byte.
    secret : str, default=None
        Secret for signatures. The header webhook-signature is "v1," and the base64 of the HMAC-SHA256 of
        "{webhook-id}.{webhook-timestamp}.{body}" (Standard Webhooks). The key is the secret in UTF-8, or the bytes of
        the base64 after ``whsec_``. None signs nothing.
    name : str, default="webhook"
        Name for messages and for the spool in the folder of the monitor.

    References
    ----------
    `Standard Webhooks <https://www.standardwebhooks.com>`_.

    Examples
    --------
    >>> WebhookSink("https://example.org/hooks/fan?token=secret")
    WebhookSink('https://example.org')
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        on: Iterable[str] = ("raised", "cleared", "notice"),
        timeout: float = 10.0,
        secret: str | None = None,
        name: str = "webhook",
    ) -> None:
        super().__init__(name, on, timeout)
        self.url, self.headers, self.secret = url, headers, secret
        self._opener: urllib.request.OpenerDirector | None = None

    def __repr__(self) -> str:
        return f"WebhookSink({_host(self.url)!r})"

    def open(self, info: MonitorInfo) -> None:
        """Check the address, and begin to post what an earlier run has left in the spool.

        Parameters
        ----------
        info : MonitorInfo

        Raises
        ------
        OSError
            If the spool cannot be used.
        ValueError
            If a parameter is invalid.
        """
        check_number(self.timeout, "timeout", low=0, closed="neither")
        self._split()
        self._key()
        for header, value in (self.headers or {}).items():
            if any(char in f"{header}{value}" for char in "\r\n") or not f"{header}{value}".isascii():
                raise ValueError(f"the header {header!r} must be ASCII without line breaks.")
        super().open(info)

    def deliver(self, entry: dict[str, Any]) -> None:
        """Post one record.

        Parameters
        ----------
        entry : dict

        Raises
        ------
        RetryLaterError
            If the server cannot be reached or asks to try again later.
        RefusedError
            If the server refuses the record.
        """
        address, authorization = self._split()
        body = to_json(entry).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "skaudio_ad"}
        headers |= authorization | dict(self.headers or {}) | self._identify(entry["key"], body)
        if self._opener is None:
            self._opener = make_opener(is_https=urllib.parse.urlsplit(self.url).scheme == "https")
        for _ in range(_MAX_REDIRECTS + 1):
            request = urllib.request.Request(address, data=body, headers=headers, method="POST")
            try:
                with self._opener.open(request, timeout=self.timeout) as response:
                    response.read(_MAX_ANSWER)
                return
            except urllib.error.HTTPError as error:
                with error:
                    address = self._judge(error, address)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                raise RetryLaterError(f"{_host(self.url)} cannot be reached: {_explain(reason)}") from None
        raise RefusedError(
            f"{_host(self.url)} redirects more than {_MAX_REDIRECTS} times. Give the final address."
        )

    def _judge(self, error: urllib.error.HTTPError, address: str) -> str:
        """Return the address of a redirect, or raise the error that an answer stands for."""
        host = _host(self.url)
        if error.code in _TRY_AGAIN or error.code >= 500:
            seconds = _retry_after(error.headers.get("Retry-After", ""))
            raise RetryLaterError(f"{host} has answered {error.code} {error.reason}", seconds)
        target = error.headers.get("Location")
        if 300 <= error.code < 400 and target:
            with contextlib.suppress(ValueError):  # a target that is no address is no target on this host
                target = urllib.parse.urljoin(address, target)
            if error.code in (307, 308) and _host(target) == _host(address):
                return target
            raise RefusedError(
                f"{host} has answered {error.code}, a redirect to {_host(target)}. Records are not sent to another "
                "host, and a redirect with this code changes the request. Give the final address."
            )
        try:
            answer = printable(error.read(_MAX_ANSWER).decode("utf-8", "replace").strip(), MAX_TEXT)
        except (OSError, http.client.HTTPException):
            answer = ""
        raise RefusedError(f"{host} has answered {error.code} {error.reason}. {answer}".strip())

    def _identify(self, key: str, body: bytes) -> dict[str, str]:
        """Return the headers that name and sign a record."""
        # A header holds ASCII only. A long or strange key is replaced by its hash.
        name = key.replace(" ", "_")
        if not (name.isascii() and name.isprintable() and len(name) <= 200):
            name = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()
        stamp = str(int(time.time()))
        headers = {"Idempotency-Key": name, "webhook-id": name, "webhook-timestamp": stamp}
        secret = self._key()
        if secret is not None:
            headers["webhook-signature"] = sign(secret, name, stamp, body)
        return headers

    def _key(self) -> bytes | None:
        if self.secret is None:
            return None
        if not self.secret.startswith(_PREFIX):
            return self.secret.encode()
        try:
            return base64.b64decode(self.secret[len(_PREFIX) :], validate=True)
        except binascii.Error:
            raise ValueError(f"a secret that begins with {_PREFIX!r} must go on with base64.") from None

    def _split(self) -> tuple[str, dict[str, str]]:
        """Return the address without user and password, and the header that holds these two."""
        parts: Any = None
        try:
            parts = urllib.parse.urlsplit(self.url)
            bad = parts.port == 0 or any(char <= " " or char == "\x7f" for char in self.url)
        except ValueError:  # such as a port that is no number
            bad = True
        if bad or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"url must be an address such as 'https://example.org/alarm', got one with {_host(self.url)!r}."
            )
        address = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        if parts.username is None:
            return address, {}
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        return address, {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def sign(secret: bytes, name: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a record after Standard Webhooks.

    Parameters
    ----------
    secret : bytes
    name : str
        Header webhook-id.
    timestamp : str
        Header webhook-timestamp: seconds since 1970.
    body : bytes

    Returns
    -------
    str
        Header webhook-signature.
    """
    digest = hmac.new(secret, f"{name}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: urllib would turn a POST into a GET, and send the headers to another host."""

    def http_error_302(self, *arguments: Any) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302  # type: ignore[assignment]


def make_opener(is_https: bool) -> urllib.request.OpenerDirector:
    """Return what opens addresses: no redirects, and the certificates of https are checked.

    Parameters
    ----------
    is_https : bool
        Whether the certificates of the system are loaded, which takes time.

    Returns
    -------
    urllib.request.OpenerDirector
    """
    if not is_https:
        return urllib.request.build_opener(_NoRedirect)
    return urllib.request.build_opener(
        _NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context())
    )


def _host(url):
    """Return the scheme, the host and the port of an address, without user, password, path and query."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "a text that is no address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _explain(reason):
    text = getattr(reason, "verify_message", None) or getattr(reason, "strerror", None) or str(reason)
    return printable(text or type(reason).__name__, MAX_TEXT)


def _retry_after(value):
    """Return the seconds that the header Retry-After asks to wait: a number, or a date."""
    value = value.strip()
    if value.isdecimal():
        return float(value[:9])
    date = email.utils.parsedate_tz(value)
    try:
        return 0.0 if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
    except (ValueError, OverflowError):  # such as the year 99999
        return 0.0
