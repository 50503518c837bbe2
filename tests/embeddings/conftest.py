"""Fixtures of the tests of the weights store."""

import socket

import numpy as np
import pytest

import skaudio_ad.embeddings._download
from skaudio_ad.embeddings import Backbone

from .weights_server import serve


@pytest.fixture
def content():
    """Bytes that begin as a file of torch.save does."""
    return b"PK\x03\x04" + np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server(content, monkeypatch):
    """A server on this machine; retries wait for nothing."""
    monkeypatch.setattr(skaudio_ad.embeddings._download, "_WAIT", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(content) as server:
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the cache, not made yet; no other place is known."""
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "skaudio_ad" / "weights"


@pytest.fixture
def make_backbone(server):
    """Function that describes the file of the server, with changes."""

    def make(**changes):
        description = {
            "name": "mine",
            "filename": "mine.pt",
            "url": server.url,
            "family": "mobilenet",
            "width": 0.1,
            "embedding_size": 96,
        }
        return Backbone(**(description | changes))

    return make


@pytest.fixture
def unused_port():
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
