"""The mel spectrogram in decibels that CED and Dasheng were trained on."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ._front_end import band_groups, check_waveforms, in_parts, weigh_bands

_N_FFT, _HOP_LENGTH = 512, 160
_FMAX = 8000.0  # Hz
# Minimum number of samples. The reflection by half a window at both ends needs one sample more than half a window.
_MIN_SAMPLES = _N_FFT // 2 + 1
# Minimum power of a band, -100 dB, and maximum number of decibels between the floor and the loudest band of a waveform.
_SMALLEST_POWER = 1e-10
_DYNAMIC_RANGE = 120.0


class CEDFrontEnd(nn.Module):
    """Waveforms to the mel spectrogram of CED and Dasheng, in decibels.

    Power spectrogram of 512 points with a periodic Hann window every 160 samples, centred, reflected at the ends; 64
    triangular bands of equal width on the HTK mel scale from 0 to 8000 Hz; decibels. No value is below -100 dB, and no
    value is more than 120 dB below the loudest value of the waveform. The authors' code finds the loudest value of the
    whole batch, so that the embedding of a quiet clip depends on its neighbours. Here every waveform has a floor of its
    own, as in the authors' code with one waveform in the batch. The networks themselves normalise the bands.

    Attributes
    ----------
    sample_rate : int
        Sample rate of the waveforms, in Hz: 16000.
    n_mels : int
        Number of bands: 64.
    hop_length : int
        Step between two frames, in samples: 160, which is 10 ms.
    min_samples : int
        Minimum length of a waveform, in samples: 257, which is 16 ms.

    References
    ----------
    Dinkel et al., "CED: Consistent ensemble distillation for audio tagging", ICASSP 2024,
    https://arxiv.org/abs/2308.11957; ``MelSpectrogram`` and ``AmplitudeToDB`` of torchaudio.
    """

    sample_rate, n_mels, hop_length, min_samples = 16_000, 64, _HOP_LENGTH, _MIN_SAMPLES

    window: torch.Tensor
    mel_bank: torch.Tensor

    def __init__(self):
        super().__init__()
        # The buffers are not persistent, because the checkpoints need not hold them.
        self.register_buffer("window", torch.hann_window(_N_FFT), persistent=False)
        self.register_buffer("mel_bank", _htk_mel_bank(self.n_mels), persistent=False)
        self._groups = band_groups(self.mel_bank)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute mel spectrograms of waveforms at 16 kHz, in decibels.

        Parameters
        ----------
        waveforms : torch.Tensor of shape (n_clips, n_samples)
            Values in [-1, 1], with the dtype of the module: float32 unless the module was converted.

        Returns
        -------
        torch.Tensor of shape (n_clips, 64, n_frames)
            ``n_frames = 1 + n_samples // 160``: 1001 for ten seconds.

        Raises
        ------
        TypeError
            If the waveforms have another dtype.
        ValueError
            If the waveforms are not 2-D, empty, or shorter than 257 samples.
        """
        reason = " (16 ms at 16 kHz), because half a window is reflected at both ends"
        check_waveforms(waveforms, self.window.dtype, _MIN_SAMPLES, reason)
        return in_parts(waveforms, _HOP_LENGTH, self._decibels)

    def _decibels(self, waveforms, n_frames):
        """Spectrograms of waveforms, (n_clips, n_samples), with `n_frames` frames of every clip at a time."""
        padded = functional.pad(waveforms[:, None], (_N_FFT // 2, _N_FFT // 2), mode="reflect")[:, 0]
        made = []
        # No autocast, because bfloat16 has three digits, too few for the logarithm of a quiet band.
        with torch.autocast(waveforms.device.type, enabled=False):
            for some in padded.unfold(1, _N_FFT, _HOP_LENGTH).split(n_frames, dim=1):
                spectra = torch.fft.rfft(some * self.window)
                power = (spectra.real.square() + spectra.imag.square()).transpose(1, 2)
                made.append(weigh_bands(power, self.mel_bank, self._groups))
            decibels = 10 * torch.cat(made, dim=2).clamp(min=_SMALLEST_POWER).log10()
            return torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - _DYNAMIC_RANGE)


def htk_band_to_hertz(bands):
    """Convert positions among the bands of :class:`CEDFrontEnd` to frequencies.

    Parameters
    ----------
    bands : array-like of float
        0 is the centre of the lowest band, and fractions lie between centres.

    Returns
    -------
    ndarray of float64
        Frequencies, in hertz.
    """
    mel = _hertz_to_mel(_FMAX) / (CEDFrontEnd.n_mels + 1) * (np.asarray(bands) + 1)
    return 700 * (10 ** (mel / 2595) - 1)


def _hertz_to_mel(frequency):
    return 2595 * math.log10(1 + frequency / 700)


def _htk_mel_bank(n_mels):
    """Mel bank, (n_mels, n_fft // 2 + 1): triangles of height 1 whose sides are straight in hertz."""
    # All steps are in float32, as in training, because a value next to a corner is only a rounding error.
    corners = 700 * (10 ** (torch.linspace(0, _hertz_to_mel(_FMAX), n_mels + 2) / 2595) - 1)[:, None]
    lower, centre, upper = corners[:-2], corners[1:-1], corners[2:]
    bins = torch.linspace(0, _FMAX, _N_FFT // 2 + 1)
    return torch.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)).clamp(min=0)
