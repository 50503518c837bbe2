"""Fixtures of the tests of data sets."""

import pytest

from skaudio_ad.datasets import _publishers

from ..publishers_server import serve_publishers


@pytest.fixture
def publishers(monkeypatch):
    """A server on this machine in place of Zenodo, PhysioNet and GitHub."""
    monkeypatch.setattr("skaudio_ad._download._WAIT", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("SKAUDIO_AD_OFFLINE", raising=False)
    with serve_publishers() as server:
        for name in ("ZENODO", "PHYSIONET", "GITHUB"):
            monkeypatch.setattr(_publishers, name, server.url)
        yield server
