"""Project embeddings to the two dimensions of a map."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array

from .._lazy import is_missing


def project(vectors, transformer=None):
    """Project embeddings to two dimensions.

    Parameters
    ----------
    vectors : ndarray of shape (n_clips, n_features)
        A row of NaN is a clip that could not be read.
    transformer : transformer, default=None
        Transformer with ``fit_transform``. None is PCA.

    Returns
    -------
    positions : ndarray of shape (n_clips, 2)
        NaN for a clip that could not be read.
    transformer : transformer
        The fitted transformer.

    Raises
    ------
    ValueError
        If there are too few clips or features, or the transformer does not return two columns.
    """
    vectors = check_array(vectors, ensure_all_finite="allow-nan", input_name="X")
    present = np.array([not is_missing(row) for row in vectors])
    n_present = np.count_nonzero(present)
    if n_present < 2:
        raise ValueError(f"a map needs at least two clips with embeddings, got {n_present}.")
    if transformer is None:
        if vectors.shape[1] < 2:
            raise ValueError("a map needs at least two features, got 1: use ScoreDistributionDisplay.")
        # The seed matters for large inputs only, because their components are computed by a randomised algorithm.
        transformer = PCA(n_components=2, random_state=0)
    made = np.asarray(transformer.fit_transform(vectors[present]))
    if made.shape != (n_present, 2):
        raise ValueError(
            f"the transformer must return two columns, got shape {made.shape}: set its n_components to 2."
        )
    positions = np.full((len(vectors), 2), np.nan)
    positions[present] = made
    return positions, transformer


def describe_axes(transformer):
    """Return the labels of the two axes, and whether distances on the map are distances of embeddings.

    Parameters
    ----------
    transformer : fitted transformer

    Returns
    -------
    labels : tuple of str
    keeps_distances : bool
    """
    last = transformer.steps[-1][1] if isinstance(transformer, Pipeline) else transformer
    ratios = getattr(last, "explained_variance_ratio_", None)
    if ratios is not None:
        return tuple(f"PC {n} ({100 * ratio:.0f} % of variance)" for n, ratio in enumerate(ratios, 1)), True
    name = type(last).__name__
    return (f"{name} 1", f"{name} 2"), False
