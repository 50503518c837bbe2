"""The log-magnitude spectrogram of ECHO and FISHER, at any sample rate."""

import torch
from torch import nn

from ._front_end import check_waveforms, in_parts


class LogSpectrogram(nn.Module):
    """Waveform to a normalised logarithmic magnitude spectrogram.

    The mean of every waveform is subtracted. Frames are whole windows (not centred) with a periodic Hann window of the
    length of the Fourier transform. The values are ``(log(|X| + offset) - mean) / (2 * std)``.

    Parameters
    ----------
    sample_rate : int
        Sample rate of the waveforms, in hertz.
    n_fft : int
        Length of the window and of the Fourier transform, in samples.
    hop_length : int
        Step between two frames, in samples.
    offset : float
        Value that is added to the magnitudes before the logarithm.
    mean, std : float
        Mean and standard deviation of the logarithms, as the network was trained with.
    subtract_mean : bool, default=True
        Whether to subtract the mean of every waveform. False is for windows of a clip whose mean has been subtracted.

    Attributes
    ----------
    n_bins : int
        Number of frequencies of the spectrogram, ``n_fft // 2 + 1``, from 0 Hz.
    min_samples : int
        Minimum length of a waveform, in samples: one window.

    Raises
    ------
    ValueError
        If a window or a step has no sample, because the sample rate is too low.
    """

    window: torch.Tensor

    def __init__(
        self,
        sample_rate: int,
        *,
        n_fft: int,
        hop_length: int,
        offset: float,
        mean: float,
        std: float,
        subtract_mean: bool = True,
    ):
        super().__init__()
        if n_fft < 2 or hop_length < 1:
            raise ValueError(
                f"sample_rate must be at least 100 Hz, got {sample_rate!r}: a window of {n_fft} samples every "
                f"{hop_length} samples makes no spectrogram."
            )
        self.sample_rate, self.n_fft, self.hop_length = sample_rate, n_fft, hop_length
        self.offset, self.mean, self.std, self.subtract_mean = offset, mean, std, subtract_mean
        self.n_bins, self.min_samples = n_fft // 2 + 1, n_fft
        # The buffer is not persistent, because the checkpoints of the networks do not hold the window.
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute spectrograms.

        Parameters
        ----------
        waveforms : torch.Tensor of shape (n_clips, n_samples)
            Values in [-1, 1], float32.

        Returns
        -------
        torch.Tensor of shape (n_clips, n_bins, n_frames)
            ``n_frames = 1 + (n_samples - n_fft) // hop_length``.

        Raises
        ------
        TypeError
            If the waveforms have another dtype.
        ValueError
            If the waveforms are not 2-D, empty, or shorter than a window.
        """
        check_waveforms(waveforms, self.window.dtype, self.n_fft, ", one window of the spectrogram")
        # No autocast, because bfloat16 has three digits, too few for the logarithm of a quiet frequency.
        with torch.autocast(waveforms.device.type, enabled=False):
            return in_parts(waveforms, self.hop_length, self._spectrograms)

    def _spectrograms(self, waveforms, n_frames):
        """Spectrograms of waveforms, (n_clips, n_samples), with `n_frames` frames of every clip at a time."""
        if self.subtract_mean:
            waveforms = waveforms - waveforms.mean(dim=1, keepdim=True)
        frames = waveforms.unfold(1, self.n_fft, self.hop_length)
        made = []
        for some in frames.split(n_frames, dim=1):
            spectra = torch.fft.rfft(some * self.window)
            magnitudes = (spectra.real.square() + spectra.imag.square()).sqrt_()
            logarithms = magnitudes.add_(self.offset).log_()
            made.append(logarithms.sub_(self.mean).div_(2 * self.std).transpose(1, 2))
        return torch.cat(made, dim=2)
