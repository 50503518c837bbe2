"""`BaseEmbedding`: clips through a frozen network, a few windows at a time."""

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._checks import check_number, check_option
from .._lazy import gather
from .._output import TableOutputMixin, bin_names
from ..audio import as_clips
from ._cache import check_memory
from ._checksums import WeightsError
from ._chunks import Plan, embed_clips


class BaseEmbedding(TableOutputMixin, BaseEstimator):
    """Transformer from waveforms to what a frozen network makes of them.

    Nothing is learnt, and the network is no part of what is computed with: processes load it themselves. A subclass
    says which ``_outputs`` there are, which of them are ``_vectors`` of a clip, without time, and defines

    - ``_check_parameters()``, of its own parameters;
    - ``_rate()``, the sample rate of the network, in hertz;
    - ``_engine()``, the network as a small object that pickles: ``load()`` gives, from the memory of the process, an
      object with ``embed(waveforms, output)``; ``key`` is all that changes the numbers, ``digest`` the checksum of
      the weights or None, ``name`` what to call it;
    - ``_shortest()``, what the network takes, in samples;
    - ``_column_names()``, of the output, where that is a vector; of as many as it has channels otherwise.
    """

    output: Any
    window: Any
    hop: Any
    batch_size: Any
    memory: Any
    cache_by: Any
    n_jobs: Any
    _outputs: tuple[str, ...]
    _vectors: tuple[str, ...]
    _longest_window: float = np.inf

    def fit(self, X, y=None):
        """Check parameters and input, and load the network; nothing is learnt.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X holds no clips, or its clips are at another sample rate.
        ImportError
            If an optional package is needed and missing.
        WeightsError
            If the weights are not to be had, or are not those of the network.
        """
        self._check(self.output)
        as_clips(self, X, sample_rate=self._rate(), reset=True)
        engine = self._engine()
        engine.load()
        self.weights_digest_ = engine.digest
        self._warn()
        return self

    def transform(self, X):
        """Embed every clip.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Arrays are taken to be at the sample rate of the network, files are resampled to it.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_channels, ...), float32
            As `output` says, time last; a list where clips differ in length and `output` keeps time. Clips that
            could not be read (``on_error="skip"``) are NaN.
        """
        clips, embeddings = self._embed(X, self.output)
        return gather(embeddings, len(clips), clips)

    def stream(self, X):
        """Embed clips one after the other, for more of them than memory holds.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths

        Returns
        -------
        iterator of ndarray
            What :meth:`transform` returns, a clip at a time and in the same order.
        """
        return self._embed(X, self.output)[1]

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`, or of the channels where its output keeps time.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
            The network, the output and a number. Channels in time are called x0, x1, ..., as the step that pools
            them calls them: an array of three axes has no names.
        """
        names = self._column_names()
        return np.array(names, dtype=object) if self.output in self._vectors else bin_names(len(names))

    @property
    def n_edge_frames(self):
        """Frames at either end of a clip that reach beyond it: 0, all lie within."""
        return 0

    def _warn(self):
        """What a subclass has to say at the end of a fit."""

    def _check(self, output):
        """Raise for parameters out of range; return the windows that they make for an output."""
        check_option(self.output, "output", self._outputs)
        check_number(self.batch_size, "batch_size", low=1, integer=True)
        check_option(self.cache_by, "cache_by", ("file", "content"))
        check_memory(self.memory)
        self._check_parameters()
        return self._plan(output)

    def _embed(self, X, output):
        """X as clips, and an iterator over one output of theirs."""
        plan = self._check(output)
        clips = as_clips(self, X, sample_rate=self._rate(), reset=False)
        engine = self._engine()
        if getattr(self, "weights_digest_", engine.digest) != engine.digest:
            name = getattr(engine, "path", None) or engine.name
            raise WeightsError(
                f"{name}: has other weights (sha256 {engine.digest}) than in fit ({self.weights_digest_}); what "
                "follows it was trained on those. Put the old weights back, or fit again."
            )
        embeddings = embed_clips(
            clips,
            engine,
            plan,
            memory=self.memory,
            cache_by=self.cache_by,
            n_jobs=self.n_jobs,
        )
        return clips, embeddings

    def _plan(self, output):
        rate, averaged = self._rate(), output in self._vectors
        high = self._longest_window
        check_number(self.window, "window", low=1, high=high, closed="left" if np.isinf(high) else "both")
        hop = self.window / 4 if self.hop is None else self.hop
        if averaged:
            check_number(hop, "hop", low=0, high=self.window, closed="right")
        return Plan(
            output=output,
            averaged=averaged,
            length=round(self.window * rate),
            hop_length=max(1, round(hop * rate)) if averaged else 0,
            min_samples=self._shortest(),
            batch_size=self.batch_size,
        )

    def __getstate__(self):
        # A path as a string: that is what skops may load again.
        state = super().__getstate__()
        return {
            name: os.fspath(value) if isinstance(value, os.PathLike) else value
            for name, value in state.items()
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
