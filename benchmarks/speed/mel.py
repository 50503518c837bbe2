"""Log-mel spectrograms and cepstral coefficients beside librosa's, torchaudio's and torch.stft's.

Spectrograms: 10 s clips at 16 kHz, n_fft 1024, hop_length 512, 128 Slaney bands, power, dB relative to 1, no top_db.
Coefficients: 20 coefficients, n_fft 2048, hop_length 512, 128 bands, top_db 80, which are librosa's defaults.

On one thread, the calling thread runs the function that ``MelTransformer`` applies to a clip. End to end,
``MelTransformer.transform`` runs on all cores beside a loop over librosa, with and without BLAS threads. All contenders
get float32 samples in memory. Filter banks and windows are made before the clock starts. The exceptions are librosa's
own functions, which make the filter bank in every call. "librosa, filter bank kept" combines librosa's parts by hand,
and shows the share of the filter bank in the difference.

Run: ``python -m benchmarks.speed.mel [--clips 64] [--repeats 9]``
"""

import argparse

import numpy as np
from threadpoolctl import ThreadpoolController

from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.features import MelTransformer, MFCCTransformer

from .._report import RESULTS, Report, interleave, one_thread, speed_rows
from ._ratios import missing_packages, ratio_row

RATE, N_FFT, HOP, N_MELS = 16000, 1024, 512, 128
SEED = 0


def librosa_log_mel(clip):
    """Return ``power_to_db(melspectrogram)``, (n_mels, n_frames)."""
    import librosa

    power = librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS)
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


def librosa_log_mel_with_kept_filters():
    """Return a function from (n_samples,) to (n_mels, n_frames): librosa's parts, with the filter bank made once."""
    import librosa

    filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=N_MELS)

    def log_mel(clip):
        power = np.abs(librosa.stft(clip, n_fft=N_FFT, hop_length=HOP)) ** 2
        return librosa.power_to_db(filters @ power, ref=1.0, amin=1e-10, top_db=None)

    return log_mel


def torchaudio_log_mel():
    """Return a function from (n_samples,) to (n_mels, n_frames) with torchaudio's transforms."""
    import torch
    import torchaudio.transforms as T

    spectrogram = T.MelSpectrogram(
        sample_rate=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, norm="slaney", mel_scale="slaney",
        power=2.0, center=True, pad_mode="constant",
    )  # fmt: skip
    decibels = T.AmplitudeToDB("power", top_db=None)

    def log_mel(clip):
        with torch.inference_mode():
            return decibels(spectrogram(torch.from_numpy(clip))).numpy()

    return log_mel


def stft_log_mel():
    """Return a function from (..., n_samples) to (..., n_mels, n_frames): torch.stft and a dense filter bank."""
    import librosa
    import torch

    filters = torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=N_MELS))
    window = torch.hann_window(N_FFT)

    def log_mel(clips):
        with torch.inference_mode():
            spectrum = torch.stft(
                torch.from_numpy(clips), N_FFT, HOP, window=window, center=True, pad_mode="constant",
                return_complex=True,
            )  # fmt: skip
            power = spectrum.real.square() + spectrum.imag.square()
            return (filters @ power).clamp_(min=1e-10).log10_().mul_(10).numpy()

    return log_mel


def librosa_mfcc(clip):
    """Return ``librosa.feature.mfcc`` with its defaults at 16 kHz, (20, n_frames)."""
    import librosa

    return librosa.feature.mfcc(y=clip, sr=RATE)


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.mel")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    clips = make_machine_sounds(options.clips, 0, duration=options.seconds, random_state=SEED).waveforms
    report = Report(
        "mel",
        data=f"{len(clips)} clips of {options.seconds:g} s at {RATE} Hz from make_machine_sounds (fan).",
        seed=SEED,
        packages=("torchaudio",),
        folder=options.output,
    )
    contenders = {
        "librosa": librosa_log_mel,
        "librosa, filter bank kept": librosa_log_mel_with_kept_filters(),
        "skaudio_ad": MelTransformer()._function(),
        "torch.stft": stft_log_mel(),
    }
    if not missing_packages(["torchaudio"]):
        contenders["torchaudio"] = torchaudio_log_mel()
    _compare(report, "Log-mel on one thread", clips, contenders, options.repeats)
    contenders = {"librosa": librosa_mfcc, "skaudio_ad": MFCCTransformer()._function()}
    _compare(report, "MFCC on one thread", clips, contenders, options.repeats)

    blas = ThreadpoolController()
    transformer = MelTransformer()
    function = transformer._function()

    def librosa_loop():
        return np.stack([librosa_log_mel(clip) for clip in clips])

    def librosa_loop_limited():
        with blas.limit(limits=1):
            return librosa_loop()

    timings = interleave(
        {
            "librosa loop": librosa_loop,
            "librosa loop, BLAS on one thread": librosa_loop_limited,
            "skaudio_ad loop, one thread": lambda: np.stack([function(clip) for clip in clips]),
            "MelTransformer.transform": lambda: transformer.transform(clips),
        },
        repeats=options.repeats,
    )
    rows = speed_rows(
        timings, unit="ms per clip", n_items=len(clips), reference="librosa loop, BLAS on one thread"
    )
    report.table(
        "Log-mel end to end on all cores",
        rows,
        "librosa multiplies with the filter bank on BLAS threads, which wait busily for each other. If another program "
        "uses a core, this is slower than one thread. Compare with the faster of the two.",
    )
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    title, end = "Log-mel on one thread", "Log-mel end to end on all cores"
    rows = [
        ratio_row(tables, title, what="log-mel of a clip", ours="skaudio_ad", peer=peer, needs=needs)
        for peer, needs in (("librosa", ()), ("torchaudio", ("torchaudio",)), ("torch.stft", ()))
    ]
    rows.append(
        ratio_row(tables, "MFCC on one thread", what="MFCC of a clip", ours="skaudio_ad", peer="librosa")
    )
    rows.append(
        ratio_row(
            tables,
            end,
            what="log-mel of all clips, all cores",
            ours="MelTransformer.transform",
            peer="librosa loop, BLAS on one thread",
        )
    )
    return rows


def _compare(report, title, clips, functions, repeats):
    """Time functions of one clip on one thread, and compute their largest difference from librosa's values."""
    with one_thread():
        timings = interleave(
            {name: lambda f=function: [f(clip) for clip in clips] for name, function in functions.items()},
            repeats=repeats,
        )
        expected = [functions["librosa"](clip) for clip in clips]
        difference = {
            name: max(np.abs(function(clip) - e).max() for clip, e in zip(clips, expected))
            for name, function in functions.items()
        }
    rows = speed_rows(timings, unit="ms per clip", n_items=len(clips), reference="librosa")
    for row in rows:
        row["largest difference from librosa, dB"] = f"{difference[row['contender']]:.1e}"
    report.table(title, rows)


if __name__ == "__main__":
    main()
