"""`BackboneEmbedding`: what the embeddings of the published backbones share."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from .._checks import check_number, check_option, users_level
from ._checksums import WeightsError
from ._embedding import BaseEmbedding
from ._networks import RUNTIMES, backbone_engine, build_network
from ._registry import get_backbone
from ._store import class_labels


class BackboneEmbedding(BaseEmbedding):
    """Embedding by a backbone of the registry, or by one that is described as they are.

    Subclasses name their ``_family`` and define ``_clock(backbone)``, the geometry of their frames, and
    ``_n_features(backbone)``.
    """

    variant: Any
    weights: Any
    device: Any
    precision: Any
    runtime: Any
    random_state: Any
    _family: str
    _vectors = ("clip", "multilevel", "logits", "class_token", "distillation_token", "patch_mean")
    _min_samples: int

    def predict_tags(self, X, top=5):
        """What the backbone hears: the likeliest of AudioSet's 527 classes.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
        top : int, default=5
            How many classes to name.

        Returns
        -------
        list of list of (str, float)
            For every clip its classes and their probabilities, the likeliest first. They need not add up to one: a
            clip may hold several sounds. An empty list for a clip that could not be read.
        """
        check_number(top, "top", low=1, integer=True)
        _, embeddings = self._embed(X, "logits")
        labels = class_labels()
        tags = []
        for logits in embeddings:
            heard = not np.isnan(logits).any()
            best = np.argsort(-logits, kind="stable")[: top if heard else 0]
            tags.append([(labels[i], float(expit(logits[i]))) for i in best])
        return tags

    def frames_to_seconds(self, frames):
        """Time of the middle of a frame of ``output="frames"`` or ``"grid"``.

        Parameters
        ----------
        frames : array-like of float
            Positions on the last axis of what `transform` returns; fractions lie between frames.

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        first, step, per_window = self._clock(self._backbone())
        frames = np.asarray(frames, dtype=np.float64)
        window = np.floor((frames + 0.5) / per_window)
        return window * self.window + first + (frames - window * per_window) * step

    def describe(self, *, depth=2):
        """Parameters, multiply-accumulates and receptive field of the backbone, for one window; nothing is loaded.

        Parameters
        ----------
        depth : int or None, default=2
            As for :func:`skaudio_ad.networks.describe`: 2 is a row for every block, None for every layer.

        Returns
        -------
        NetworkDescription
            Print it for a table.
        """
        import torch

        from ..networks import describe

        with torch.device("meta"):  # shapes alone: no memory, and no draws from the global generator
            network = build_network(self._backbone())
        return describe(network, round(self.window * 100), depth=depth)

    def _backbone(self):
        try:
            return get_backbone(self.variant, family=self._family)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("backbone must", "variant must", 1)) from None

    def _rate(self):
        return self._backbone().sample_rate

    def _shortest(self):
        return self._min_samples

    def _column_names(self):
        backbone = self._backbone()
        return [f"{backbone.name}_{self.output}{i}" for i in range(self._n_features(backbone))]

    def _check_parameters(self):
        self._backbone()
        if not (self.weights is None or isinstance(self.weights, (str, os.PathLike))):
            raise TypeError(f'weights must be "pretrained", a path or None, got {self.weights!r}.')
        if self.weights not in (None, "pretrained") and not Path(self.weights).expanduser().exists():
            raise WeightsError(
                f'weights must be "pretrained", a file or folder that exists, or None, got {str(self.weights)!r}.'
            )
        check_option(self.precision, "precision", ("float32", "bfloat16"))
        check_option(self.runtime, "runtime", RUNTIMES)
        check_number(self.random_state, "random_state", low=0, integer=True)

    def _warn(self):
        if self.weights is None:
            warnings.warn(
                f"{type(self).__name__} with weights=None has random weights: its outputs have the right shapes and "
                'no meaning. Use weights="pretrained" or a path.',
                UserWarning,
                stacklevel=users_level(),
            )

    def _engine(self):
        return backbone_engine(
            self._backbone(),
            self.weights,
            runtime=self.runtime,
            precision=self.precision,
            device=self.device,
            random_state=self.random_state,
        )
