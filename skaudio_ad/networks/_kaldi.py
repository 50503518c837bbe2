"""Kaldi's filter bank at 16 kHz, the front end of BEATs and EAT before their scaling."""

import math
from typing import Literal

import numpy as np
import torch
from torch import nn

from .._checks import check_option
from ._front_end import band_groups, check_waveforms, in_parts, kaldi_mel_bank, weigh_bands

_N_FFT, _WIN_LENGTH, _HOP_LENGTH = 512, 400, 160
_PRE_EMPHASIS = 0.97
_FMIN, _FMAX = 20.0, 8000.0  # Hz
# Kaldi takes the logarithm of no smaller power, the distance between one and the next float32.
_SMALLEST_POWER = 2.0**-23


class KaldiFilterBank(nn.Module):
    """Waveforms to the log-mel spectrogram of Kaldi's ``compute-fbank-feats`` with 128 bands at 16 kHz.

    Frames of 400 samples every 160, whole frames only. Every frame loses its mean, is pre-emphasised (``x[t] - 0.97
    x[t - 1]``, the first sample with itself), windowed, and padded with zeros to 512 samples. 128 triangles on the mel
    axis from 20 to 8000 Hz weigh the power spectrum. The output is the natural logarithm, of 1.19e-7 at least. There is
    no dither and no energy. The fourth band lies between two bins of the spectrum, is always empty, and has the value
    -15.94: the published networks were trained with this band.

    Parameters
    ----------
    window : {"povey", "hann"}
        Symmetric window. "povey", the default of Kaldi, is the Hann window to the power of 0.85. BEATs has "povey", EAT
        has "hann".

    Attributes
    ----------
    sample_rate : int
        Sample rate of the waveforms, in Hz: 16000.
    n_mels : int
        Number of bands: 128.
    hop_length : int
        Step between two frames, in samples: 160, which is 10 ms.
    min_samples : int
        Minimum length of a waveform, in samples: 400, which is 25 ms.

    Raises
    ------
    ValueError
        If `window` is unknown.

    References
    ----------
    https://kaldi-asr.org/doc/feat.html; ``torchaudio.compliance.kaldi.fbank``.
    """

    sample_rate, n_mels, hop_length, min_samples = 16_000, 128, _HOP_LENGTH, _WIN_LENGTH

    window: torch.Tensor
    mel_bank: torch.Tensor

    def __init__(self, window: Literal["povey", "hann"]):
        super().__init__()
        check_option(window, "window", ("povey", "hann"))
        values = torch.hann_window(_WIN_LENGTH, periodic=False)
        mel_bank = kaldi_mel_bank(self.sample_rate, _N_FFT, self.n_mels, _FMIN, _FMAX)
        # The buffers are not persistent, because the checkpoints of the networks do not hold them.
        self.register_buffer("window", values.pow(0.85) if window == "povey" else values, persistent=False)
        self.register_buffer("mel_bank", mel_bank, persistent=False)
        self._groups = band_groups(self.mel_bank)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute log-mel spectrograms of waveforms at 16 kHz.

        Parameters
        ----------
        waveforms : torch.Tensor of shape (n_clips, n_samples)
            Values with the dtype of the module: float32 unless the module was converted.

        Returns
        -------
        torch.Tensor of shape (n_clips, 128, n_frames)
            ``n_frames = 1 + (n_samples - 400) // 160``: 998 for ten seconds.

        Raises
        ------
        TypeError
            If the waveforms have another dtype.
        ValueError
            If the waveforms are not 2-D, empty, or shorter than 400 samples.
        """
        reason = " (25 ms at 16 kHz), the length of a frame"
        check_waveforms(waveforms, self.window.dtype, _WIN_LENGTH, reason)
        return in_parts(waveforms, _HOP_LENGTH, self._log_mel)

    def _log_mel(self, waveforms, n_frames):
        """Spectrograms of waveforms, (n_clips, n_samples), with `n_frames` frames of every clip at a time."""
        made = []
        # No autocast, because bfloat16 has three digits, too few for the logarithm of a quiet band.
        with torch.autocast(waveforms.device.type, enabled=False):
            for some in waveforms.unfold(1, _WIN_LENGTH, _HOP_LENGTH).split(n_frames, dim=1):
                centred = some - some.mean(dim=2, keepdim=True)
                before = torch.cat([centred[..., :1], centred[..., :-1]], dim=2)
                spectra = torch.fft.rfft((centred - _PRE_EMPHASIS * before) * self.window, _N_FFT)
                power = (spectra.real.square() + spectra.imag.square()).transpose(1, 2)
                mel = weigh_bands(power, self.mel_bank, self._groups)
                made.append(mel.clamp(min=_SMALLEST_POWER).log())
        return torch.cat(made, dim=2)


def kaldi_band_to_hertz(bands):
    """Convert positions among the bands of :class:`KaldiFilterBank` to frequencies.

    Parameters
    ----------
    bands : array-like of float
        0 is the centre of the lowest band, and fractions lie between centres.

    Returns
    -------
    ndarray of float64
        Frequencies, in hertz.
    """
    lowest, highest = (1127 * math.log(1 + frequency / 700) for frequency in (_FMIN, _FMAX))
    mel = lowest + (highest - lowest) / (KaldiFilterBank.n_mels + 1) * (np.asarray(bands) + 1)
    return 700 * np.expm1(mel / 1127)
