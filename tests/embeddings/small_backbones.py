"""Small networks that tests embed with, and clips for them."""

import numpy as np

from skaudio_ad import MobileNetEmbedding, PaSSTEmbedding
from skaudio_ad.embeddings import Backbone

SAMPLE_RATE = 32000
FAMILIES = ("mobilenet", "passt")
# Two blocks instead of twelve, and the narrowest MobileNet: all that these tests are about, in milliseconds.
BACKBONE = {
    "mobilenet": Backbone(
        name="tiny", filename="tiny.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
    ),
    "passt": Backbone(
        name="small",
        filename="small.pt",
        family="passt",
        settings={"stride": 10, "depth": 2},
        embedding_size=768,
    ),
}
ESTIMATOR = {"mobilenet": MobileNetEmbedding, "passt": PaSSTEmbedding}


def noise(*seconds, seed=0):
    """Noise of as many lengths, each with a colour of its own."""
    rng = np.random.default_rng(seed)
    return [
        np.convolve(rng.normal(scale=0.1, size=round(s * SAMPLE_RATE)), rng.normal(size=9), "same").astype(
            np.float32
        )
        for s in seconds
    ]


def assert_equal_up_to_rounding(actual, expected):
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())
