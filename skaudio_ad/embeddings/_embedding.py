"""`BaseEmbedding`: clips through a frozen network, a few windows at a time."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from .._checks import check_number, check_option
from .._checksums import WeightsError
from .._lazy import gather
from .._output import TableOutputMixin, bin_names
from .._progress import with_progress
from ..audio import AudioClips, as_clips
from ..audio._channels import CHANNEL_NAMES
from ._batch_function import BatchFunctionMixin
from ._cache import check_memory
from ._embed_clips import Plan, embed_clips
from ._engine import Engine
from ._windows import averaged_windows
from .families import Clock


class BaseEmbedding(BatchFunctionMixin, TableOutputMixin, BaseEstimator):
    """Transformer from waveforms to the outputs of a frozen network.

    Clips of two channels (``AudioLoader(channel="near-far")``) are taken as well: every channel is embedded by itself.

    Nothing is learnt, and the network is no part of the estimator: every process loads it. A subclass has the
    attributes

    - ``_outputs``, the names of all outputs;
    - ``_vectors``, the names of the outputs that are one vector a clip, without time;
    - ``_longest_window``, in seconds, ``_hop_share`` and ``_cut``, for windows of long clips;

    and defines

    - ``_check_parameters()``, the checks of its own parameters;
    - ``_rate()``, the sample rate of the network, in hertz;
    - ``_engine()``, an :class:`Engine`;
    - ``_shortest()``, the length of the shortest waveform that the network takes, in samples;
    - ``_clock(n_samples)``, the :class:`Clock` of the frames in a window;
    - ``_column_names(output)``, the names of the columns of an output that is a vector; else as many names as channels.
    """

    output: Any
    window: Any
    hop: Any
    batch_size: Any
    memory: Any
    cache_by: Any
    n_jobs: Any
    verbose: Any = False
    _outputs: Sequence[str]
    _vectors: Sequence[str]
    _longest_window: float = np.inf
    _hop_share: float = 0.25
    _cut: Callable[[np.ndarray, int, int], Any] = staticmethod(averaged_windows)

    def fit(self, X: Any, y: Any = None) -> Self:
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
            If the weights cannot be found or downloaded, or do not fit the network.
        """
        self._learn_rate(X)
        self._check(self.output)
        clips = as_clips(self, X, sample_rate=self._rate(), reset=True, pairs=True)
        engine = self._engine()
        engine.load()
        self.n_channels_ = clips.n_channels
        self.weights_digest_ = engine.digest
        self._warn()
        return self

    def transform(self, X: Any) -> Any:
        """Embed every clip.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Arrays must be at the sample rate of the network. Files are resampled to it.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_channels, ...), float32
            The output that `output` names, time last; or all outputs of a list, one after the other. A list where clips
            differ in length and the output keeps time.
            Clips that could not be read (``on_error="skip"``) are NaN. For clips of two channels, the second axis holds
            the outputs of the first channel and then those of the second channel, and is twice as long.
        """
        clips, embeddings = self._embed(X, self.output)
        if self.verbose:
            embeddings = with_progress(embeddings, len(clips))
        return gather(embeddings, len(clips), clips)

    def stream(self, X: Any) -> Iterator[np.ndarray]:
        """Embed clips one after the other, so that memory need not hold all embeddings.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths

        Returns
        -------
        iterator of ndarray
            The rows of :meth:`transform`, one clip at a time and in the same order.
        """
        return self._embed(X, self.output)[1]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`, or of the channels where the output keeps time.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
            Each name consists of the network, the output and a number. Channels in time are called x0, x1, ..., as
            :class:`TemporalPooling` calls them, because an array of three axes has no names. After a fit on clips of
            two channels, names begin with ``near_`` or ``far_``.
        """
        outputs = self._names(self.output)
        names = [name for output in outputs for name in self._column_names(output)]
        if getattr(self, "n_channels_", 1) > 1:
            names = [f"{channel}_{name}" for channel in CHANNEL_NAMES for name in names]
        return np.array(names, dtype=object) if outputs[0] in self._vectors else bin_names(len(names))

    def frames_to_seconds(self, frames: ArrayLike) -> np.ndarray:
        """Time of the middle of a frame of ``output="frames"`` or ``"grid"``.

        Parameters
        ----------
        frames : array-like of float
            Positions on the last axis of the array that `transform` returns; fractions lie between frames.

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        length, step = self._window_lengths()
        clock = self._clock(length)
        frames = np.asarray(frames, dtype=np.float64)
        window = np.floor((frames + 0.5) / clock.per_window)
        start = window * (step / self._rate())
        return start + clock.first + (frames - window * clock.per_window) * clock.step

    @property
    def n_edge_frames(self) -> int:
        """Number of frames at either end of a clip that reach beyond the clip: 0, because all frames lie within it."""
        return 0

    def _learn_rate(self, X: Any) -> None:
        """Take the sample rate of the training clips, for a network of any rate."""

    def _warn(self) -> None:
        """Warnings of a subclass at the end of a fit."""

    def _check_parameters(self) -> None:
        raise NotImplementedError

    def _rate(self) -> int:
        raise NotImplementedError

    def _engine(self) -> Engine:
        raise NotImplementedError

    def _shortest(self) -> int:
        raise NotImplementedError

    def _clock(self, n_samples: int) -> Clock:
        raise NotImplementedError

    def _window_lengths(self) -> tuple[int, int]:
        """Number of samples of a window, and step between windows that lie end to end, in samples."""
        length = round(self.window * self._rate())
        return length, length

    def _prepare(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """What changes a whole clip before windows are cut from it."""
        return None

    def _column_names(self, output: str) -> list[str]:
        raise NotImplementedError

    def _names(self, output: str | Sequence[str]) -> tuple[str, ...]:
        """Names of the outputs that a value of the parameter `output` asks for; raises unless all are known."""
        if not isinstance(output, (list, tuple)):
            name: Any = output
            check_option(name, "output", self._outputs)
            return (name,)
        if len(output) == 0:
            known = ", ".join(map(repr, self._vectors))
            raise ValueError(f"a list of outputs must hold at least one of {known}, got {output!r}.")
        for name in output:
            check_option(name, "every name in output", self._outputs)
            if name not in self._vectors:
                raise ValueError(
                    f"a list of outputs must hold vectors only, got {output!r}, and {name!r} keeps time. Vectors are "
                    f"{', '.join(map(repr, self._vectors))}; write output={name!r} for {name!r} alone."
                )
        if len(set(output)) < len(output):
            raise ValueError(f"output must name every output once, got {output!r}.")
        return tuple(output)

    def _windows_at_once(self) -> int:
        return self.batch_size

    def _check(self, output: str | Sequence[str]) -> Plan:
        """Raise for parameters out of range; return the plan for one or more outputs."""
        self._names(self.output)
        check_number(self._windows_at_once(), "batch_size", low=1, integer=True)
        check_option(self.cache_by, "cache_by", ("file", "content"))
        check_option(self.verbose, "verbose", (False, True))
        check_memory(self.memory)
        self._check_parameters()
        return self._plan(self._names(output))

    def _embed(self, X: Any, output: str | Sequence[str]) -> tuple[AudioClips, Iterator[np.ndarray]]:
        """X as clips, and an iterator over one or more of their outputs."""
        plan = self._check(output)
        clips = as_clips(self, X, sample_rate=self._rate(), reset=False, pairs=True)
        fitted_on = getattr(self, "n_channels_", clips.n_channels)
        if clips.n_channels != fitted_on:
            raise ValueError(
                f"{type(self).__name__} was fitted on clips of {fitted_on} channel(s), got {clips!r} of "
                f"{clips.n_channels}: load all clips with one AudioLoader, or fit again."
            )
        engine = self._engine()
        if getattr(self, "weights_digest_", engine.digest) != engine.digest:
            raise WeightsError(
                f"{engine.source}: has other weights (sha256 {engine.digest}) than in fit ({self.weights_digest_}); "
                "the steps after it were trained on those. Put the old weights back, or fit again."
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

    def _plan(self, outputs: tuple[str, ...]) -> Plan:
        rate, averaged = self._rate(), outputs[0] in self._vectors
        high = self._longest_window
        check_number(self.window, "window", low=1, high=high, closed="left" if np.isinf(high) else "both")
        length, step = self._window_lengths()
        hop_length = step * self._hop_share
        if averaged and self.hop is not None:
            check_number(self.hop, "hop", low=0, high=self.window, closed="right")
            hop_length = self.hop * rate
        return Plan(
            outputs=outputs,
            averaged=averaged,
            length=length,
            hop_length=max(1, round(hop_length)) if averaged else 0,
            min_samples=self._shortest(),
            batch_size=self._windows_at_once(),
            cut=self._cut,
            step=step,
            prepare=self._prepare(),
        )

    def __getstate__(self) -> dict[str, Any]:
        # Paths become strings, because skops loads strings again and refuses paths.
        state = super().__getstate__()
        return {
            name: os.fspath(value) if isinstance(value, os.PathLike) else value
            for name, value in state.items()
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
