"""Published systems as configurations of the benchmark: systems A, B and C, the baselines of DCASE, GenRep and BEAM.

Every configuration is a preset of :func:`make_preset`, cut in two. The first part turns paths into features without
learning from the training clips, so that splits and seeds share the features. The second part learns.

=====================================  =================================================================================
configuration                          preset
=====================================  =================================================================================
system-A/heart_lung                    "heart_lung": dense autoencoder on MFCCs
system-B/dog_bark_vae                  "dog_bark_vae": convolutional VAE with the published filters, slow
system-B/dog_bark_vae small            the same with 32 16 8 8 8 filters and batches of 8, as in ``dog_bark``
system-C/next_frame_lstm               "next_frame_lstm"
system-C/window_gru                    "window_gru"
official/dcase_baseline                "dcase_baseline": the official autoencoder with its mean squared error
official/dcase_mahalanobis             the same with the Mahalanobis distance as in the paper of 2023
official/dcase_mahalanobis_clip        the same with the Mahalanobis distance as in the official program
official/dcase_baseline levelled       "dcase_baseline" with ``level="rms"``
autoencoder/autoencoder levelled       "autoencoder" with ``level="rms"``: ours, from no publication
mini/genrep, mini/beam                 "embedding_genrep" and "embedding_beam" on the packaged backbone
=====================================  =================================================================================

The presets keep the loudness of the recordings, as published. The embeddings and the two levelled configurations
bring all recordings to one level, because in some data sets loudness alone tells the anomalous clips.

A network has its own threshold, which aims at a false-alarm rate of 0.05. The clips for this threshold are those that
the preset holds out of the training (:class:`AutoencoderDetector`). The presets on embeddings are calibrated like all
heads of :func:`make_detector`.
"""

from typing import Any

from sklearn.pipeline import Pipeline

from skaudio_ad.presets import make_preset

from ._configurations import Configuration
from .dog_bark import SMALL

# Features and settings of the preset by the name of the configuration.
_NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "system-A/heart_lung": ("mfcc-15s", "heart_lung", {}),
    "system-B/dog_bark_vae": ("logmel-3s", "dog_bark_vae", {}),
    "system-B/dog_bark_vae small": ("logmel-3s", "dog_bark_vae", SMALL),
    "system-C/next_frame_lstm": ("logmel-16k", "next_frame_lstm", {}),
    "system-C/window_gru": ("logmel-16k", "window_gru", {}),
    "official/dcase_baseline": ("logmel-16k", "dcase_baseline", {}),
    "official/dcase_mahalanobis": ("logmel-16k", "dcase_mahalanobis", {}),
    "official/dcase_mahalanobis_clip": ("logmel-16k", "dcase_mahalanobis_clip", {}),
    "official/dcase_baseline levelled": ("logmel-16k-rms", "dcase_baseline", {"level": "rms"}),
    "autoencoder/autoencoder levelled": ("logmel-16k-rms", "autoencoder", {"level": "rms"}),
}
_RECIPES = {"mini/genrep": ("mini:clip", "embedding_genrep"), "mini/beam": ("mini:grid", "embedding_beam")}
# Steps that learn nothing from the training clips. "scale" of "dog_bark_vae" scales every clip by itself.
_STATELESS = {
    "heart_lung": ("load", "features", "pool"),
    "dog_bark_vae": ("load", "features", "scale"),
}


def configurations() -> list[Configuration]:
    """Return all systems.

    Returns
    -------
    list of Configuration
    """
    networks = [
        Configuration(
            name,
            features,
            # Bind the loop's values as defaults, because a lambda looks its names up when it is called.
            embed=lambda memory, preset=preset, settings=settings: _split(preset, **settings)[0],
            detector=lambda seed, preset=preset, settings=settings: _split(
                preset, random_state=seed, **settings
            )[1],
            is_random=True,
        )
        for name, (features, preset, settings) in _NETWORKS.items()
    ]
    recipes = [
        Configuration(
            name,
            features,
            embed=lambda memory, preset=preset: make_preset(preset, memory=memory)[:-1],
            detector=lambda seed, preset=preset: make_preset(preset, random_state=seed)[-1],
        )
        for name, (features, preset) in _RECIPES.items()
    ]
    return networks + recipes


def _split(preset, **settings):
    """Return the steps of a preset that learn nothing, and the other steps, as two pipelines."""
    pipeline = make_preset(preset, **settings)
    stateless = {"level", *_STATELESS.get(preset, ("load", "features"))}
    n_first = sum(name in stateless for name in pipeline.named_steps)
    return Pipeline(pipeline.steps[:n_first]), pipeline[n_first:]
