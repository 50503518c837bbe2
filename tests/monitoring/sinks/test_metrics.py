"""Metrics for Prometheus, read with the parser of prometheus-client."""

import math
import re
import time

import pytest

from skaudio_ad.monitoring.sinks import MetricsSink, PageSink, PrometheusFileSink, _metrics, _metrics_sinks

from . import records
from .web import OUTSIDE, ask

parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")


def samples(text):
    """Values by name and labels, without the label of the source and without the times of creation."""
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "source"}
            found[sample.name.removeprefix("skaudio_ad_"), *labels.values()] = sample.value
    return found


@pytest.fixture
def metrics():
    return _metrics.Metrics(records.info(), clock=lambda: records.START + 18.0)


def measured(metrics):
    return samples(metrics.text()[0].decode())


def test_a_window_sets_the_gauges_and_its_latency(metrics):
    metrics.add(records.window(1, drift=0.25))  # ends 15 s after the start, and is scored 3 s later
    found = measured(metrics)
    expected = {
        "windows_total": 1,
        "score": -1,
        "p_value": 0.5,
        "level_db": -30,
        "drift_log10": 0.25,
        "alarm": 0,
    }
    expected |= {
        "last_window_timestamp_seconds": records.START + 15,
        "raise_level": -3,
        "window_errors_total": 0,
    }
    expected |= {"window_latency_seconds_sum": 3, "window_latency_seconds_count": 1}
    assert {name: found[(name,)] for name in expected} == expected
    assert (found["window_latency_seconds_bucket", "2.0"], found["window_latency_seconds_bucket", "5.0"]) == (
        0,
        1,
    )


def test_the_gauges_are_nan_before_the_first_window(metrics):
    found = measured(metrics)
    assert all(math.isnan(found[(name,)]) for name in ("score", "p_value", "last_window_timestamp_seconds"))
    assert found[("windows_total",)] == 0


def test_a_window_without_a_score_is_counted_as_an_error(metrics):
    metrics.add(records.window(score=math.nan, error="the sound is constant"))
    assert measured(metrics)[("window_errors_total",)] == 1


def test_an_event_counts_once_and_is_an_alarm_until_it_ends(metrics):
    for _ in range(2):  # a restart may repeat a record
        metrics.add(records.event())
    assert (measured(metrics)[("events_total",)], measured(metrics)[("alarm",)]) == (1, 1)
    metrics.add(records.event(state="cleared"))
    assert (measured(metrics)[("events_total",)], measured(metrics)[("alarm",)]) == (1, 0)
    metrics.add(records.event(1))
    assert measured(metrics)[("events_total",)] == 2


def test_notices_are_counted_by_kind_and_lost_sound_is_summed(metrics):
    for record in (
        records.notice(0),
        records.notice(1, duration=0.5),
        records.notice(2, kind="sink", duration=math.nan, details={"sink": "mqtt"}),
    ):
        metrics.add(record)
    found = measured(metrics)
    assert (found["notices_total", "gap"], found["notices_total", "sink"]) == (2, 1)
    assert (found[("audio_lost_seconds_total",)], found["sink_errors_total", "mqtt"]) == (2.5, 1)


def test_the_number_of_kinds_is_bounded(metrics):
    for number in range(60):
        metrics.add(records.notice(number, kind=f"kind {number}"))
    found = {key[1]: value for key, value in measured(metrics).items() if key[0] == "notices_total"}
    assert (len(found), found["drift"], found["other"]) == (41, 0, 40)  # 20 kinds are known from the start


def test_texts_from_outside_are_values_of_labels(metrics):
    text = OUTSIDE + '"} 1\nforged 1\udcff'
    metrics = _metrics.Metrics(records.info(source=text))
    metrics.add(records.notice(kind=text))
    lines = metrics.text()[0].decode().splitlines()
    assert all(line.startswith(("#", "skaudio_ad_")) for line in lines)
    families = parser.text_string_to_metric_families(metrics.text()[0].decode())
    sources = {sample.labels["source"] for family in families for sample in family.samples}
    assert sources == {text.replace("\udcff", "\\udcff")}


def test_the_names_follow_the_rules_of_prometheus(metrics):
    families = list(parser.text_string_to_metric_families(metrics.text()[0].decode()))
    assert len(families) >= 14
    for family in families:
        assert re.fullmatch(r"skaudio_ad_[a-z0-9]+(_[a-z0-9]+)*", family.name)
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith(("_total", "_created"))


@pytest.mark.parametrize("make", [MetricsSink, PageSink])
def test_the_endpoints_serve_metrics_and_health(make):
    sink = make(port=0)
    sink.open(records.info())
    try:
        sink.send(records.window())
        status, headers, content = ask(sink, "/metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=")
        assert samples(content.decode())[("windows_total",)] == 1
        assert ask(sink, "/healthz")[0] == 200
        assert ask(sink, "/other")[0] == 404
    finally:
        sink.close()


def test_without_the_package_the_sink_names_the_extra_and_the_page_works(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(ImportError, match=r"pip install skaudio_ad\[monitor\]"):
        MetricsSink(port=0).open(records.info())
    page = PageSink(port=0)
    page.open(records.info())
    try:
        page.send(records.window())
        status, _, content = ask(page, "/metrics")
        assert (status, b"skaudio_ad[monitor]" in content) == (404, True)
    finally:
        page.close()


def test_the_file_is_written_at_the_start_and_at_the_end(tmp_path):
    path = tmp_path / "fan.prom"
    sink = PrometheusFileSink(path)
    sink.open(records.info())
    assert samples(path.read_text())[("windows_total",)] == 0
    sink.send(records.window())
    assert samples(path.read_text())[("windows_total",)] == 0  # five seconds have not passed
    sink.close()
    assert samples(path.read_text())[("windows_total",)] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_a_notice_and_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(_metrics_sinks, "_WRITE_INTERVAL", 0.01)
    folder = tmp_path / "collector"
    folder.mkdir()
    sink = PrometheusFileSink(folder / "fan.prom")
    sink.open(records.info())
    (folder / "fan.prom").unlink()
    folder.rmdir()
    sink.send(records.window())
    notices, end = [], time.monotonic() + 10
    while not notices and time.monotonic() < end:
        notices = sink.take_notices()
    assert [notice.kind for notice in notices] == ["disk"]
    assert "make it first" in notices[0].text
    folder.mkdir()
    sink.close()
    assert samples((folder / "fan.prom").read_text())[("windows_total",)] == 1


def test_a_file_that_the_collector_would_not_read_is_refused():
    with pytest.raises(ValueError, match=r"path must end in '.prom'"):
        PrometheusFileSink("fan.txt")
