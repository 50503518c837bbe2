"""The log-mel spectrogram that PaSST and the MobileNets of EfficientAT were trained on."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

_N_FFT, _WIN_LENGTH, _HOP_LENGTH = 1024, 800, 320
_PRE_EMPHASIS = 0.97
_FMAX = 15_000.0  # Hz, as in evaluation; training varied this frequency at random
# Minimum number of samples. The reflection by half a window of n_fft at both ends needs one sample more than half a
# window, and the pre-emphasis needs another sample.
_MIN_SAMPLES = _N_FFT // 2 + 2
# Number of frames of a front end that a CPU transforms at a time: their spectra take about one megabyte and stay in the
# cache.
_CPU_FRAMES = 128
# Maximum number of frames that a GPU transforms at a time, of all clips together: the frames and their spectra take
# half a gigabyte at most. A GPU transforms many frames at a time, because every call of a kernel takes time.
_GPU_FRAMES = 32_000
# Number of groups of mel bands. A group is multiplied by the frequencies that its bands weigh and by no others.
_N_BAND_GROUPS = 4


class AudioSetFrontEnd(nn.Module):
    """Waveform to the log-mel spectrogram of PaSST and of EfficientAT's MobileNets, as in their evaluation.

    Pre-emphasis ``x[t + 1] - 0.97 x[t]``; power spectrogram of 1024 points with a symmetric Hann window of
    800 samples every 320, centred, reflected at the ends; 128 triangular Kaldi mel bands from 0 to 15 000
    Hz; ``(log(mel + 1e-5) + 4.5) / 5``. There are no settings, because a network that was trained on this
    spectrogram would embed another spectrogram wrongly without an error. Nothing is masked or shifted at random, in
    training mode or in evaluation mode.

    Attributes
    ----------
    sample_rate : int
        Sample rate of the waveforms, in Hz: 32000.
    n_mels : int
        Number of bands of the spectrogram: 128.
    hop_length : int
        Step between two frames, in samples: 320, which is 10 ms.
    min_samples : int
        Minimum length of a waveform, in samples: 514, which is 16 ms.

    References
    ----------
    Koutini et al., "Efficient training of audio transformers with patchout", Interspeech 2022,
    https://arxiv.org/abs/2110.05069; ``AugmentMelSTFT`` of the package hear21passt.
    """

    sample_rate, n_mels, hop_length, min_samples = 32_000, 128, _HOP_LENGTH, _MIN_SAMPLES

    window: torch.Tensor
    mel_bank: torch.Tensor

    def __init__(self):
        super().__init__()
        window = torch.hann_window(_WIN_LENGTH, periodic=False)
        # The buffers are not persistent, because the checkpoints of the networks do not hold them.
        self.register_buffer("window", window, persistent=False)
        mel_bank = kaldi_mel_bank(self.sample_rate, _N_FFT, self.n_mels, 0.0, _FMAX)
        self.register_buffer("mel_bank", mel_bank, persistent=False)
        self._groups = band_groups(self.mel_bank)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute normalised log-mel spectrograms of waveforms at 32 kHz.

        Parameters
        ----------
        waveforms : torch.Tensor of shape (n_clips, n_samples)
            Values in [-1, 1], with the dtype of the module: float32 unless the module was converted.

        Returns
        -------
        torch.Tensor of shape (n_clips, 128, n_frames)
            ``n_frames = 1 + (n_samples - 1) // 320``: 1000 for ten seconds.

        Raises
        ------
        TypeError
            If the waveforms have another dtype.
        ValueError
            If the waveforms are not 2-D, empty, or shorter than 514 samples.
        """
        reason = " (16 ms at 32 kHz), because half a window is reflected at both ends"
        check_waveforms(waveforms, self.window.dtype, _MIN_SAMPLES, reason)
        return in_parts(waveforms, _HOP_LENGTH, self._log_mel)

    def _log_mel(self, waveforms, n_frames):
        """Spectrograms of waveforms, (n_clips, n_samples), with `n_frames` frames of every clip at a time."""
        emphasised = waveforms[:, 1:] - _PRE_EMPHASIS * waveforms[:, :-1]
        padded = functional.pad(emphasised[:, None], (_N_FFT // 2, _N_FFT // 2), mode="reflect")[:, 0]
        frames = padded.unfold(1, _N_FFT, _HOP_LENGTH)
        window = functional.pad(self.window, ((_N_FFT - _WIN_LENGTH) // 2,) * 2)
        made = []
        # No autocast, because bfloat16 has three digits, too few for the logarithm of a quiet band.
        with torch.autocast(waveforms.device.type, enabled=False):
            for some in frames.split(n_frames, dim=1):
                spectra = torch.fft.rfft(some * window)
                power = (spectra.real.square() + spectra.imag.square()).transpose(1, 2)
                mel = weigh_bands(power, self.mel_bank, self._groups)
                made.append(((mel + 1e-5).log() + 4.5) / 5)
        return torch.cat(made, dim=2)


def in_parts(waveforms, hop_length, transform):
    """Spectrograms of waveforms, transformed in parts that suit the device.

    Parameters
    ----------
    waveforms : torch.Tensor of shape (n_clips, n_samples)
    hop_length : int
        Step between two frames, in samples.
    transform : callable
        Takes some of the waveforms, and the number of frames of every waveform to transform at a time. Returns the
        spectrograms of these waveforms, (n, n_bins, n_frames).

    Returns
    -------
    torch.Tensor of shape (n_clips, n_bins, n_frames)
    """
    if waveforms.device.type == "cpu":
        # One clip at a time gives the same numbers in any batch.
        n_clips, n_frames = 1, _CPU_FRAMES
    else:
        n_clips, n_frames = max(1, _GPU_FRAMES * hop_length // waveforms.shape[1]), _GPU_FRAMES
    return torch.cat([transform(some, n_frames) for some in waveforms.split(n_clips)])


def weigh_bands(power, mel_bank, groups):
    """Return mel bands, (n_clips, n_bands, n_frames), of spectra, (n_clips, n_bins, n_frames).

    `band_groups` makes the slices in `groups`.
    """
    return torch.cat([mel_bank[bands, bins] @ power[:, bins] for bands, bins in groups], dim=1)


def band_groups(mel_bank):
    """Slices of neighbouring bands and of the frequencies that these bands weigh."""
    n_bands = len(mel_bank) // _N_BAND_GROUPS
    groups = [slice(start, start + n_bands) for start in range(0, len(mel_bank), n_bands)]
    weighed = [mel_bank[bands].any(dim=0).nonzero() for bands in groups]
    return [(bands, slice(int(bins.min()), int(bins.max()) + 1)) for bands, bins in zip(groups, weighed)]


def check_waveforms(waveforms, dtype, min_samples, reason):
    """Raise unless `waveforms` are (n_clips, n_samples) of a dtype, with at least `min_samples` samples.

    The message about short waveforms has the text `reason` behind the number of samples.
    """
    if waveforms.ndim != 2 or not len(waveforms):
        raise ValueError(
            "waveforms must have the shape (n_clips, n_samples) with at least one clip, got "
            f"{tuple(waveforms.shape)}; one waveform x is x[None]."
        )
    if waveforms.dtype != dtype:
        raise TypeError(
            f"waveforms must be {dtype}, got {waveforms.dtype}; convert them with waveforms.to({dtype})."
        )
    if waveforms.shape[1] < min_samples:
        raise ValueError(
            f"waveforms must have at least {min_samples} samples{reason}; got {waveforms.shape[1]}. Pad them "
            "with zeros."
        )


def check_spectrograms(
    spectrograms,
    *,
    min_frames,
    max_frames=None,
    n_bins=AudioSetFrontEnd.n_mels,
    front_end=AudioSetFrontEnd.__name__,
):
    """Raise unless `spectrograms` are (n_clips, n_bins, n_frames) with a number of frames that the network takes."""
    if spectrograms.ndim != 3 or spectrograms.shape[1] != n_bins:
        raise ValueError(
            f"spectrograms must have the shape (n_clips, {n_bins}, n_frames), as {front_end} makes "
            f"them, got {tuple(spectrograms.shape)}."
        )
    n_frames = spectrograms.shape[2]
    if n_frames < min_frames:
        raise ValueError(
            f"spectrograms must have at least {min_frames} frames, got {n_frames}. Pad the waveform."
        )
    if max_frames is not None and n_frames > max_frames:
        raise ValueError(
            f"spectrograms must have at most {max_frames} frames ({max_frames / 100:.2f} s), got {n_frames}. "
            "Cut the waveform into windows of ten seconds and average their embeddings."
        )


def check_outputs(outputs, known):
    """Return the names `outputs` as a tuple; raise a ValueError that lists the known ones unless all are."""
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    for name in names:
        if name not in known:
            raise ValueError(f"outputs must be of {', '.join(map(repr, known))}, got {name!r}.")
    return names


def band_to_hertz(bands):
    """Convert positions among the bands of :class:`AudioSetFrontEnd` to frequencies.

    Parameters
    ----------
    bands : array-like of float
        0 is the centre of the lowest band, and fractions lie between centres.

    Returns
    -------
    ndarray of float64
        Frequencies, in hertz.
    """
    mel = 1127 * math.log(1 + _FMAX / 700) / (AudioSetFrontEnd.n_mels + 1) * (np.asarray(bands) + 1)
    return 700 * np.expm1(mel / 1127)


def kaldi_mel_bank(sample_rate, n_fft, n_mels, fmin, fmax):
    """Kaldi's mel bank, (n_mels, n_fft // 2 + 1): triangles of height 1 on the mel axis from `fmin` to `fmax` hertz."""
    # All steps are in float32, as in training. A value next to a corner is only a rounding error, which shows with a
    # tone at that frequency: in float64, spectrograms of recordings differed by up to 3e-4.
    lowest, highest = (1127 * math.log(1 + frequency / 700) for frequency in (fmin, fmax))
    step = (highest - lowest) / (n_mels + 1)
    corners = lowest + torch.arange(n_mels + 2, dtype=torch.float32)[:, None] * step
    lower, centre, upper = corners[:-2], corners[1:-1], corners[2:]
    bins = 1127 * (1 + torch.arange(n_fft // 2) * (sample_rate / n_fft) / 700).log()
    bank = torch.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)).clamp(min=0)
    return functional.pad(bank, (0, 1))  # the bin at half the sample rate has no weight
