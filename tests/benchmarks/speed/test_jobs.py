"""Tests that the processes of the benchmark get the settings that its table names, and embed all files."""

import os

import numpy as np
import pytest

from benchmarks.speed import jobs


def test_files_are_ten_seconds_each_and_embeddings_do_not_warn(tmp_path):
    paths = jobs.write_files(tmp_path, 2)
    assert len(paths) == 2
    assert jobs.embedding("mn01").transform(paths).shape == (2, 96)
    assert jobs.seconds_of_a_process("mn01", paths, 1, jobs.MALLOC) > 0


@pytest.mark.parametrize("settings", [{}, jobs.MALLOC], ids=["as it comes", "one gibibyte"])
def test_workers_of_dask_start_with_the_settings(settings, monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000")  # another cluster may leave this value
    with jobs.dask_cluster(1, settings) as client:
        (found,) = client.run(lambda: os.environ.get("MALLOC_TRIM_THRESHOLD_")).values()
        assert client.submit(np.sum, [1, 2]).result() == 3
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "1000"
    assert int(found) == int(settings.get("MALLOC_TRIM_THRESHOLD_", 65536))
