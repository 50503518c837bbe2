"""Search for neighbours with an index of FAISS, refined in float64."""

import numpy as np

from ._clip_rows import BLOCK, largest_half_square, slices
from ._neighbor_rows import half_squares
from ._neighbor_search import NeighborSearch

# Number of candidates of FAISS beyond the neighbours. Two rows whose distances differ by a rounding of float32 may
# have changed places, so the farthest of the neighbours may stand behind other rows.
_SPARE = 8
# Maximum number of rows of one clip or group for leave-one-out by FAISS, because FAISS finds these rows as well.
_MOST_OWN = 64


def load_faiss():
    """Import FAISS, or raise an ImportError that names the extra."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "index='faiss' needs FAISS: pip install 'skaudio_ad[faiss]'. index='exact' needs nothing more."
        ) from error
    return faiss


class FaissSearch(NeighborSearch):
    """`NeighborSearch` whose candidates come from an ``IndexFlatL2`` of FAISS, which computes in float32.

    The nearest candidates and some spare ones are compared with the query in float64. A distance differs from that of
    `NeighborSearch` only where more rows than the spare ones are within a rounding of float32.

    Parameters
    ----------
    bank, metric, center
        As for `NeighborSearch`.

    Raises
    ------
    ImportError
        If FAISS is not installed.
    ValueError
        If a row is too large to be squared in float32.
    """

    def __init__(self, bank, metric, center):
        super().__init__(bank, metric, center)
        if self._largest > largest_half_square(np.float32):
            raise ValueError(
                "X holds values that are too large for their squares to be added up in float32, which index='faiss' "
                "computes in: put a StandardScaler in front, or pass index='exact'."
            )
        self._index = load_faiss().IndexFlatL2(self._n_compared)
        for part in slices(len(bank), BLOCK):
            self._index.add(self._in_float32(bank[part]))

    def is_far(self, rows):
        if self._metric == "cosine":
            return super().is_far(rows)
        halves = half_squares(np.asarray(rows, dtype=np.float64), self._center)
        return halves > largest_half_square(np.float32)

    def _candidates(self, queries, k, left_out):
        n_found = k + _SPARE
        if left_out is not None:
            n_own = np.bincount(left_out[1]).max()
            if n_own > _MOST_OWN:
                return super()._candidates(queries, k, left_out)
            n_found += n_own
        n_found = min(int(n_found), len(self._bank))
        row = self._index.search(self._in_float32(queries), n_found)[1].ravel()
        query = np.repeat(np.arange(len(queries)), n_found)
        if left_out is not None:
            is_other = left_out[0][query] != left_out[1][row]
            query, row = query[is_other], row[is_other]
        return query, row, np.zeros(len(queries), dtype=bool)

    def _in_float32(self, rows):
        return np.ascontiguousarray(self._compared(rows), dtype=np.float32)
