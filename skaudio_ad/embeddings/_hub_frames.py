"""Where the frames of a model of the transformers library lie in a window."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Frames:
    """Frames of a chain of convolutions over samples. A spectrogram is the first convolution of its chain.

    Attributes
    ----------
    convolutions : tuple of (int, int, int, int)
        Kernel size, stride, and numbers of zeros before and after the input of every convolution.
    multiple : int
        Number of frames that the model makes together. Frames after the last full group are left out.
    """

    convolutions: tuple[tuple[int, int, int, int], ...]
    multiple: int = 1

    def then(self, kernel: int, stride: int, before: int = 0, after: int = 0) -> "Frames":
        """Frames after one more convolution.

        Parameters
        ----------
        kernel, stride : int
            Kernel size and stride, in frames.
        before, after : int
            Number of zeros before and after the frames.

        Returns
        -------
        Frames
        """
        return Frames((*self.convolutions, (kernel, stride, before, after)))

    @property
    def step(self) -> int:
        """Step between two frames, in samples."""
        step = 1
        for _, stride, _, _ in self.convolutions:
            step *= stride
        return step

    @property
    def min_samples(self) -> int:
        """Number of samples of the shortest window that gives a group of frames."""
        length = self.multiple
        for kernel, stride, before, after in reversed(self.convolutions):
            length = max(1, (length - 1) * stride + kernel - before - after)
        return length

    def number(self, n_samples: int) -> int:
        """Number of frames of a window, without the frames that lie in padding alone."""
        length = n_samples
        for kernel, stride, before, after in self.convolutions:
            length = (length + before + after - kernel) // stride + 1
        return max(1, length // self.multiple * self.multiple)

    def centre(self, frame: float) -> float:
        """The sample in the middle of a frame: the centre of its receptive field."""
        centre, step = 0.5, 1
        for kernel, stride, before, _ in self.convolutions:
            centre += ((kernel - 1) / 2 - before) * step
            step *= stride
        return centre + frame * step


@dataclass(frozen=True)
class Geometry:
    """Windows that a model takes, and its frames.

    Attributes
    ----------
    frames : Frames or None
        Frames of layer 0 and of all layers up to the first layer of `later`. None for a model that keeps no time.
    later : tuple of (int, Frames)
        Layers from which on the frames differ, with their frames.
    shortest : int
        Minimum number of samples of a window, for a front end that needs more than the first frame.
    max_samples : int or None
        Maximum number of samples of a window; None is any number.
    grid : (int, int) or None
        Number of bands and of frames of the patches, including the frames after the end of a short clip.
    """

    frames: Frames | None
    later: tuple[tuple[int, Frames], ...] = ()
    shortest: int = 1
    max_samples: int | None = None
    grid: tuple[int, int] | None = None

    @property
    def min_samples(self) -> int:
        """Minimum number of samples of a window."""
        if self.frames is None or self.max_samples is not None:
            return self.shortest  # the front end pads short windows
        return max(self.shortest, *(frames.min_samples for frames in self.all_frames()))

    def all_frames(self) -> list[Frames]:
        """Frames of all layers, each kind once."""
        return [] if self.frames is None else [self.frames, *(frames for _, frames in self.later)]

    def of_layer(self, layer: int) -> Frames:
        """Frames of a layer."""
        assert self.frames is not None  # the outputs of a model without time are checked before
        frames = self.frames
        for first, later in self.later:
            if layer >= first:
                frames = later
        return frames
