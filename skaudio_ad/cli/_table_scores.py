"""Score the rows of a table of embeddings."""

import math

import numpy as np

from .._path_groups import labels_from_paths
from ..detectors import FleetDetector
from ..persistence import read_metadata
from ..recordings import ScoredRecording
from ..recordings._score import p_value_function
from ..recordings._unwrap import find_loader
from ._embedding_tables import check_same_kind


def score_table(pipeline, table, detector_path):
    """Score the rows of a table of embeddings.

    Parameters
    ----------
    pipeline : fitted estimator
        Detector that was trained on recordings or on a table.
    table : EmbeddingTable
    detector_path : path-like
        File of the detector.

    Returns
    -------
    list of ScoredRecording

    Raises
    ------
    ValueError
        If the detector does not score embeddings, or scores embeddings of another kind.
    """
    trained_on = read_metadata(detector_path).get("embedding")
    if not isinstance(trained_on, dict):
        raise ValueError(
            f"{detector_path}: does not score embeddings; name recordings instead of the table {table.path}."
        )
    check_same_kind(table, trained_on, detector_path)
    detector = pipeline.steps[-1][1] if find_loader(pipeline) is not None else pipeline
    if isinstance(detector, FleetDetector):
        return _score_fleet(detector, pipeline.machines, table)
    return _score_rows(detector, table.paths, table.embeddings)


def _score_fleet(fleet, machines_from, table):
    """Score the rows of a table, each with the detector of its machine."""
    found: list[ScoredRecording] = []
    for path, embedding in zip(table.paths, table.embeddings):
        try:
            (machine,) = labels_from_paths(machines_from, [path])
            detector = fleet.detector_of(machine)
        except ValueError as error:  # the other recordings are scored all the same
            found.append(ScoredRecording(path, error=str(error)))
            continue
        found += _score_rows(detector, [path], embedding[np.newaxis])
    return found


def _score_rows(detector, paths, embeddings):
    readable = np.isfinite(embeddings).all(axis=1)
    scores, margins = np.full((2, len(readable)), np.nan)
    if readable.any():
        scores[readable] = detector.score_samples(embeddings[readable])
        margins[readable] = detector.decision_function(embeddings[readable])
    p_values = p_value_function(detector)(scores)
    rows = zip(paths, scores.tolist(), margins.tolist(), p_values.tolist())
    return [
        ScoredRecording(path, error="has no embedding: its row in the table holds NaN.")
        if math.isnan(score)
        else ScoredRecording(
            path, score, "normal" if margin >= 0 else "anomalous", margin=margin, p_value=p_value
        )
        for path, score, margin, p_value in rows
    ]
