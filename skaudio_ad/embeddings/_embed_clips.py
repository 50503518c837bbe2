"""Clips of any number and length through a frozen network: batches of windows, chunks of clips, processes."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from .._lazy import is_missing
from ..audio import AudioClips, AudioReadWarning
from ._cache import EmbeddingCache
from ._engine import Engine, LoadedNetwork
from ._windows import adjacent_windows, averaged_windows, pad_to

# Maximum number of clips of a chunk, and number of chunks for every process. A process works on one chunk in one call:
# a chunk is large enough that sending it costs nothing, and small enough that all processes finish at about the same
# time.
_LARGEST_CHUNK = 64
_CHUNKS_PER_JOB = 4


@dataclass(frozen=True)
class Plan:
    """Outputs of the network that are wanted, and the windows that the outputs are made of.

    Attributes
    ----------
    outputs : tuple of str
        Several outputs are vectors; their values stand one after the other in the embedding of a clip.
    averaged : bool
        Whether the outputs of overlapping windows are averaged. If not, windows lie end to end, and so do the outputs.
    length, hop_length : int
        Length of a window, and step between two averaged windows, in samples.
    min_samples : int
        Minimum number of samples of a window. Silence is put after shorter clips and windows.
    batch_size : int
        Maximum number of windows that go through the network together; all have one length.
    cut : callable, default=averaged_windows
        Takes a clip, `length` and `hop_length`, and returns the windows to average.
    step : int or None, default=None
        Step between windows that lie end to end, in samples. None is `length`.
    prepare : callable or None, default=None
        Takes a clip and returns the clip that windows are cut from.
    """

    outputs: tuple[str, ...]
    averaged: bool
    length: int
    hop_length: int
    min_samples: int
    batch_size: int
    cut: Callable[[np.ndarray, int, int], Any] = averaged_windows
    step: int | None = None
    prepare: Callable[[np.ndarray], np.ndarray] | None = None

    def windows(self, clip: np.ndarray) -> list[np.ndarray]:
        """The windows of a clip, of shape (n_samples,), one after the other."""
        if self.prepare is not None:
            clip = self.prepare(clip)
        windows = (
            self.cut(clip, self.length, self.hop_length)
            if self.averaged
            else adjacent_windows(clip, self.length, self.step)
        )
        return [pad_to(window, self.min_samples) for window in windows]

    def join(self, parts: list[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
        """The outputs of a clip, made of the outputs of its windows."""
        return [
            np.mean(values, axis=0) if self.averaged else np.concatenate(values, axis=-1)
            for values in zip(*parts)
        ]

    def key(self, output: str) -> tuple[Any, ...]:
        """The part of the plan that changes an output."""
        averaging = (self.cut.__name__, self.hop_length) if self.averaged else (None, None)
        return output, self.length, *averaging, self.min_samples


def embed_clips(
    clips: AudioClips,
    engine: Engine,
    plan: Plan,
    *,
    memory: Any = None,
    cache_by: str = "file",
    n_jobs: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield the embedding of every clip, in order.

    Every channel of a clip is embedded by itself, and the embeddings of the channels stand one after the other.

    Parameters
    ----------
    clips : AudioClips
    engine : Engine
    plan : Plan
    memory : str, path-like or None, default=None
        Folder that keeps embeddings. None keeps none.
    cache_by : {"file", "content"}, default="file"
        As for :meth:`AudioClips.cache_keys`.
    n_jobs : int or None, default=None
        As for joblib.

    Yields
    ------
    ndarray
        float32; NaN throughout for a clip that could not be read.
    """
    n_processes = effective_n_jobs(n_jobs)
    size = _LARGEST_CHUNK
    if n_processes > 1:
        size = min(size, -(-len(clips) // (_CHUNKS_PER_JOB * n_processes)))
        size = -(-size // plan.batch_size) * plan.batch_size
    chunks = (clips[start : start + size] for start in range(0, len(clips), size))
    backend, _ = get_active_backend()
    run = Parallel(n_jobs=n_jobs, return_as="generator" if backend.supports_return_generator else "list")
    for made, failures in run(
        delayed(_embed_chunk)(chunk, engine, plan, memory, cache_by, os.getpid()) for chunk in chunks
    ):
        clips.note_failures(failures)
        yield from made


def _embed_chunk(
    clips: AudioClips, engine: Engine, plan: Plan, memory: Any, cache_by: str, parent: int
) -> tuple[list[np.ndarray], dict[Any, Any]]:
    with warnings.catch_warnings():
        if os.getpid() != parent:
            warnings.simplefilter("ignore", AudioReadWarning)  # the parent process warns of all failures
        made = (
            list(_embed_in_batches(_waveforms(clips), engine.load(), plan))
            if memory is None
            else _embed_new(clips, engine, plan, EmbeddingCache(memory), cache_by)
        )
        embeddings = [outputs[0] if len(outputs) == 1 else np.concatenate(outputs) for outputs in made]
        if clips.n_channels > 1:
            embeddings = [np.concatenate(pair) for pair in zip(*[iter(embeddings)] * clips.n_channels)]
    return embeddings, dict(clips.failures)


def _waveforms(clips: AudioClips, wanted: list[int] | None = None) -> Iterator[np.ndarray]:
    """Yield every channel of every clip, one after the other, or only those at the positions `wanted`."""
    n_channels = clips.n_channels
    if wanted is None:
        wanted = list(range(len(clips) * n_channels))
    channels: dict[int, list[int]] = {}
    for position in wanted:
        channels.setdefault(position // n_channels, []).append(position % n_channels)
    for clip, kept in zip(clips[list(channels)], channels.values()):
        if n_channels == 1:
            yield clip
        else:
            yield from (np.asarray(clip)[channel] for channel in kept)


def _embed_new(
    clips: AudioClips, engine: Engine, plan: Plan, cache: EmbeddingCache, cache_by: str
) -> list[list[np.ndarray]]:
    """The outputs of waveforms: those that the cache holds are read, and the others are computed in one pass."""
    known = clips.cache_keys(cache_by)
    keys = {name: [key and ((engine.key, plan.key(name)), key) for key in known] for name in plan.outputs}
    found = {name: [key and cache.get(key) for key in keys[name]] for name in plan.outputs}
    missing = {name for name in plan.outputs if any(embedding is None for embedding in found[name])}
    new = [index for index in range(len(known)) if any(found[name][index] is None for name in missing)]
    if new:
        reduced = replace(plan, outputs=tuple(name for name in plan.outputs if name in missing))
        for index, made in zip(new, _embed_in_batches(_waveforms(clips, new), engine.load(), reduced)):
            for name, embedding in zip(reduced.outputs, made):
                if found[name][index] is None:
                    found[name][index] = embedding
                    if keys[name][index] is not None and not is_missing(embedding):
                        cache.put(keys[name][index], embedding)
    return [list(outputs) for outputs in zip(*found.values())]


def _embed_in_batches(
    clips: Iterable[np.ndarray], loaded: LoadedNetwork, plan: Plan
) -> Iterator[list[np.ndarray]]:
    """Yield the outputs of every waveform; a batch holds windows of one length, of one waveform or of several."""
    # For every clip that is not finished: the outputs of its windows so far, and the number of its windows.
    clips_begun: deque[tuple[list[tuple[np.ndarray, ...]], int]] = deque()
    batch: list[tuple[np.ndarray, list]] = []

    def flush():
        if batch:
            made = loaded.embed(np.stack([window for window, _ in batch]), plan.outputs)
            for part, (_, parts) in zip(zip(*made), batch):
                parts.append(part)
            batch.clear()

    def finished():
        while clips_begun and len(clips_begun[0][0]) == clips_begun[0][1]:
            yield plan.join(clips_begun.popleft()[0])

    for clip in clips:
        if is_missing(clip):
            flush()
            yield from finished()
            yield _missing(loaded, plan)
            continue
        clip = np.asarray(clip, dtype=np.float32)
        windows = plan.windows(clip)
        parts: list[tuple[np.ndarray, ...]] = []
        clips_begun.append((parts, len(windows)))
        for window in windows:
            if batch and (len(batch) == plan.batch_size or len(batch[0][0]) != len(window)):
                flush()
                yield from finished()
            batch.append((window, parts))
    flush()
    yield from finished()


def _missing(loaded: LoadedNetwork, plan: Plan) -> list[np.ndarray]:
    """Outputs of NaN."""
    # The network embeds noise, because only the shape counts. The logarithm of silence might be infinite.
    noise = np.random.default_rng(0).normal(scale=0.1, size=(1, plan.min_samples)).astype(np.float32)
    return [np.full_like(made[0], np.nan) for made in loaded.embed(noise, plan.outputs)]
