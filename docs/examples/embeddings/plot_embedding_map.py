"""
Look at a map of embeddings, and listen to its points
=====================================================

A map shows which recordings sound alike to a pretrained network. Draw a map before you choose a detector: a recording
in the wrong folder, a machine that stands apart and a microphone that was moved are easy to see.

:class:`~skaudio_ad.inspection.EmbeddingMapDisplay` projects embeddings to two dimensions. The default is the two
principal components, and any transformer with ``fit_transform`` can take their place, such as t-SNE of scikit-learn or
UMAP. :doc:`plot_pretrained_embeddings` explains the embeddings.

If MIMII is missing (environment variable ``SKAUDIO_AD_DATA``), the page uses generated sounds of machines.
"""

# %%
# Embed the recordings
# --------------------
#
# Four types of machine, each with normal and anomalous recordings. Every recording is brought to one level, because
# loudness would otherwise be the largest difference.
import tempfile

import numpy as np
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, LevelNormalizer, MobileNetEmbedding
from skaudio_ad.datasets import load_mimii, make_machine_sounds
from skaudio_ad.inspection import EmbeddingMapDisplay

MACHINES = ("fan", "pump", "slider", "valve")
N_NORMAL, N_ANOMALOUS = 12, 4


def recordings(machine):
    """Return paths and labels of some recordings of one type of machine."""
    try:
        data = load_mimii(machine)
    except FileNotFoundError:
        folder = tempfile.mkdtemp()
        data = make_machine_sounds(
            N_NORMAL, N_ANOMALOUS, machine=machine, duration=1.0, output_dir=folder, random_state=0
        )
    normal, anomalous = (np.flatnonzero(data.target == label) for label in (1, -1))
    # Some of all recordings, because neighbours in the list are often of one machine and one background.
    chosen = [*np.linspace(0, len(normal) - 1, N_NORMAL), *np.linspace(0, len(anomalous) - 1, N_ANOMALOUS)]
    at = [*normal[np.int_(chosen[:N_NORMAL])], *anomalous[np.int_(chosen[N_NORMAL:])]]
    return [data.paths[i] for i in at], data.target[at]


try:
    load_mimii("fan")
except FileNotFoundError as error:
    print(f"{error}\nThe page uses generated sounds of machines:")
paths, y = (np.concatenate(parts) for parts in zip(*map(recordings, MACHINES)))
machine = np.repeat(MACHINES, N_NORMAL + N_ANOMALOUS)
embed = make_pipeline(
    AudioLoader(32000, channel=0, duration=5.0), LevelNormalizer(), MobileNetEmbedding("mini")
)
X = embed.fit_transform(list(paths))
print(f"{len(X)} recordings, {X.shape[1]} values each")

# %%
# Draw the map
# ------------
#
# Colours are types of machine, and triangles are anomalous recordings. The axis labels say how much of the variance
# each component explains. In a notebook and on this page, the points of the lower map play their recording on a click.
# With the keyboard, the arrow keys move between points, and Enter plays.
EmbeddingMapDisplay.from_embeddings(X, y, list(paths), groups=machine)

# %%
# A low share of the variance is a warning: two points that are near each other on the map can be far apart in the other
# dimensions. So the map suggests what to listen to, and a detector decides with all dimensions.

# %%
# Take another projection
# -----------------------
#
# t-SNE keeps near neighbours together. Distances between groups, and the size of a group, mean nothing on this map.
EmbeddingMapDisplay.from_embeddings(
    X, y, list(paths), groups=machine, transformer=TSNE(perplexity=10, init="pca", random_state=0)
)
