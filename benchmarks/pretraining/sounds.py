"""Sources of the pretraining sounds: batches of waveforms with random parameters, made by torch on any device.

Every function takes a `Draw` and a number of clips, and returns a tensor (n_clips, n_samples) with a root mean square
of about 1. Ranges are wide on purpose, because the student must know sounds that nobody has described.
"""

import math

import torch
from torch.nn import functional

from skaudio_ad.datasets._physics import band_gain, bearing_orders, load_zone

SAMPLE_RATE = 32_000
_HIGHEST = 15_800.0  # Hz: higher partials would alias
_N_HARMONICS = 14
_N_IMPACTS = 160  # maximum number of impacts in a clip, so that a fast train ends before the clip


class Draw:
    """Random numbers, times and frequencies of one batch.

    Parameters
    ----------
    generator : torch.Generator
        Source of randomness. Its device is the device of all tensors.
    n_samples : int
        Length of every clip, in samples at 32 kHz. An even number.
    """

    def __init__(self, generator, n_samples):
        self.generator, self.n_samples, self.device = generator, n_samples, generator.device
        self.times = torch.arange(n_samples, device=self.device) / SAMPLE_RATE
        self.frequencies = torch.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE, device=self.device).clamp(min=1.0)

    def uniform(self, *shape, low=0.0, high=1.0):
        """Numbers that are even between two limits."""
        return torch.rand(*shape, generator=self.generator, device=self.device) * (high - low) + low

    def octaves(self, n, low, high):
        """Numbers (n, 1) that are even between two limits on a logarithmic scale."""
        return low * (high / low) ** self.uniform(n, 1)

    def normal(self, *shape):
        """Gaussian numbers."""
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def integers(self, high, *shape):
        """Whole numbers below `high`."""
        return torch.randint(high, shape, generator=self.generator, device=self.device)

    def chance(self, n, probability):
        """Booleans (n, 1) that are true with this probability."""
        return self.uniform(n, 1) < probability

    def noise_spectrum(self, n):
        """Spectrum (n, n_samples // 2 + 1) of white Gaussian noise. The inverse transform is :meth:`waveform`."""
        return torch.complex(self.normal(n, len(self.frequencies)), self.normal(n, len(self.frequencies)))

    def waveform(self, spectrum):
        """Waveforms of spectra."""
        return torch.fft.irfft(spectrum, self.n_samples)

    def smooth(self, n, n_points):
        """Smooth random curves (n, n_samples) with values of about -1 to 1 and `n_points` free points."""
        points = self.normal(n, 1, n_points)
        return functional.interpolate(points, self.n_samples, mode="linear", align_corners=True)[:, 0]


def to_unit(x):
    """Scale waveforms (n, n_samples) to a root mean square of 1. Silence stays silence."""
    return x / (x.square().mean(1, keepdim=True).sqrt() + 1e-6)


def shaft(draw, n, low, high):
    """Speeds (n, 1) in turns per second and phases (n, n_samples) in turns of shafts. The speed wobbles or glides."""
    speed = draw.octaves(n, low, high)
    wobble = 0.03 * draw.uniform(n, 1) ** 2 * draw.smooth(n, 6)
    glide = draw.chance(n, 0.2) * draw.uniform(n, 1, low=-0.25, high=0.25) * draw.times / draw.times[-1]
    phase = torch.cumsum((speed * (1 + wobble + glide)).double(), 1) / SAMPLE_RATE
    return speed, (phase + draw.uniform(n, 1)).remainder(4096.0)


def tones(draw, n):
    """Harmonic sounds: motors, gears, hum, whistles, voices. Load changes tilt and modulation."""
    speed, phase = shaft(draw, n, 20.0, 2000.0)
    mains = draw.chance(n, 0.1)  # hum is exact: 50, 60, 100 or 120 Hz
    hum = torch.tensor([50.0, 60.0, 100.0, 120.0], device=draw.device)[draw.integers(4, n)][:, None]
    speed = torch.where(mains, hum, speed)
    phase = torch.where(mains, (hum * draw.times).double() + draw.uniform(n, 1), phase)
    turn = torch.polar(torch.ones_like(phase), 2 * math.pi * phase.frac()).to(torch.complex64)
    order = torch.arange(1, _N_HARMONICS + 1, device=draw.device)
    tilt, odd, comb = draw.uniform(n, 1) * 2.5, draw.uniform(n, 1), draw.uniform(n, 1) * 6
    amplitudes = order ** (-tilt) * (1 - odd * (order % 2 == 0)) * (0.6 + 0.4 * torch.cos(comb * order))
    amplitudes = amplitudes * 10 ** (draw.normal(n, _N_HARMONICS) * 0.2) * (speed * order * 1.3 < _HIGHEST)
    coefficients = torch.polar(amplitudes, 2 * math.pi * draw.uniform(n, _N_HARMONICS))
    total = coefficients[:, -1:].expand(n, draw.n_samples)
    for k in range(_N_HARMONICS - 2, -1, -1):  # Horner's rule: one complex product for each harmonic
        total = total * turn + coefficients[:, k : k + 1]
    x = (total * turn).imag
    # An eccentric rotor, a beat with a neighbour, or breathing of the load modulates the sound.
    rate = torch.where(
        draw.chance(n, 0.5), draw.octaves(n, 0.5, 32.0), speed / draw.integers(9, n, 1).clamp(min=1)
    )
    depth = draw.uniform(n, 1) * draw.chance(n, 0.7)
    wave = 0.5 + 0.5 * torch.sin(2 * math.pi * (rate * draw.times + draw.uniform(n, 1)))
    return to_unit(x * (1 - depth * wave))


def _resonances(draw, n, n_peaks, *, low=60.0, high=13_000.0):
    """Gain (n, n_bins) of a few peaks on the logarithmic frequency axis, at most 31 dB high."""
    gain = torch.ones(n, len(draw.frequencies), device=draw.device)
    log_frequencies = draw.frequencies.log()
    for _ in range(n_peaks):
        centre, width = draw.octaves(n, low, high).log(), 0.03 + draw.uniform(n, 1).square() * 0.8
        height = (draw.uniform(n, 1) * 6).square()
        gain = gain + height * torch.exp(-(((log_frequencies - centre) / width) ** 2))
    return gain


def noise(draw, n):
    """Coloured noise with resonances: flow, fans, steam. Gates, gusts and pulsation change the level."""
    tilt = draw.uniform(n, 1, low=-2.0, high=0.5)
    gain = (draw.frequencies / 1000) ** tilt
    low, high = draw.octaves(n, 20.0, 3000.0), draw.octaves(n, 500.0, 16_000.0)
    band = band_gain(draw.frequencies, low, torch.maximum(high, 1.5 * low), order=2)
    gain = torch.where(draw.chance(n, 0.4), band, gain)
    x = to_unit(draw.waveform(draw.noise_spectrum(n) * gain * _resonances(draw, n, 3)))
    rate = draw.octaves(n, 0.5, 24.0)
    wave = torch.sin(2 * math.pi * (rate * draw.times + draw.uniform(n, 1)))
    gate = 0.5 + 0.5 * torch.tanh(
        (wave - draw.uniform(n, 1, low=-0.9, high=0.9)) * draw.octaves(n, 1.0, 60.0)
    )
    depth = draw.uniform(n, 1) * draw.chance(n, 0.6)
    gusts = 1 + 0.6 * draw.uniform(n, 1) * draw.smooth(n, 12)
    return to_unit(x * (1 - depth * gate) * gusts)


def _ring(draw, times, strengths, *, n_modes=3, low=100.0, high=11_000.0):
    """Impacts at times (n, n_impacts), in seconds, on structures with a few modes. Later impacts are left out."""
    n = len(times)
    position = times * SAMPLE_RATE
    inside = (position >= 0) & (position < draw.n_samples - 2)
    position = position.clamp(0, draw.n_samples - 2)
    whole = position.long()
    part = position - whole
    blows = torch.zeros(n, draw.n_samples, device=draw.device)
    blows.scatter_add_(1, whole, strengths * inside * (1 - part))
    blows.scatter_add_(1, whole + 1, strengths * inside * part)
    # The response of a mode with a decay time d and a frequency f is a Lorentz peak, known without a transform.
    response = torch.zeros(n, len(draw.frequencies), dtype=torch.complex64, device=draw.device)
    for _ in range(n_modes):
        frequency, decay = draw.octaves(n, low, high), draw.octaves(n, 0.0006, 0.12)
        rate = torch.complex(1 / decay, 2 * math.pi * draw.frequencies.expand(n, -1))
        angular = 2 * math.pi * frequency
        peak = angular / (rate.square() + angular.square())
        response = response + peak / (peak.abs().square().sum(1, keepdim=True).sqrt() + 1e-9) * (
            0.2 + draw.uniform(n, 1)
        )
    return to_unit(draw.waveform(torch.fft.rfft(blows) * response))


def impacts(draw, n):
    """Trains of impacts, regular or at random: clicks, knocks, rattle, gears, rain."""
    rate = draw.octaves(n, 0.8, 50.0)
    steps = (1 / rate) * (1 + draw.uniform(n, 1).square() * draw.normal(n, _N_IMPACTS) * 0.4).clamp(min=0.1)
    at_random = -(draw.uniform(n, _N_IMPACTS).clamp(min=1e-4).log()) / rate
    times = torch.where(draw.chance(n, 0.25), at_random, steps).cumsum(1) - draw.uniform(n, 1) / rate
    strengths = 10 ** (draw.normal(n, _N_IMPACTS) * 0.3 * draw.uniform(n, 1))
    double = draw.chance(n, 0.3)  # every second impact is weaker and early or late, as two valves or two feet
    alternate = torch.arange(_N_IMPACTS, device=draw.device) % 2 == 1
    times = times + double * alternate * draw.uniform(n, 1, low=-0.45, high=0.45) / rate
    strengths = torch.where(double & alternate, strengths * draw.uniform(n, 1), strengths)
    return _ring(draw, times, strengths, low=100.0, high=11_000.0)


def bearings(draw, n):
    """Damaged rolling-element bearings: impacts at a defect order of the shaft, with slip and a load zone."""
    speed, _ = shaft(draw, n, 4.0, 60.0)
    n_elements, ratio = draw.integers(11, n, 1) + 6, draw.uniform(n, 1, low=0.15, high=0.4)
    orders = torch.stack(bearing_orders(n_elements, ratio))  # outer race, inner race, rolling element
    order = orders.gather(0, draw.integers(3, 1, n, 1))[0]
    count = torch.arange(_N_IMPACTS, device=draw.device)
    times = (count + draw.uniform(n, 1)) / (order * speed)
    times = times + draw.normal(n, _N_IMPACTS) * draw.uniform(n, 1, low=0.0, high=0.04) / (order * speed)
    strengths = load_zone(2 * math.pi * speed * times, draw.uniform(n, 1), torch.cos)
    strengths = strengths * draw.uniform(n, _N_IMPACTS, low=0.6, high=1.4)
    return _ring(draw, times, strengths, low=800.0, high=12_000.0)


def cycles(draw, n):
    """Heart- and breath-like cycles: one to four bursts of noise or tone in every cycle, the same up to jitter."""
    period = draw.octaves(n, 0.35, 3.5)
    position = draw.times / period + draw.uniform(n, 1)
    beat = position.floor().long()
    jitter = draw.uniform(n, 1).square() * 0.06 * draw.normal(n, 16).gather(1, beat.clamp(max=15))
    phase = (position + jitter).frac()
    spectrum = draw.noise_spectrum(n)
    log_frequencies = draw.frequencies.log()
    x = torch.zeros(n, draw.n_samples, device=draw.device)
    for _ in range(4):
        centre, width = draw.uniform(n, 1), 0.008 + 0.3 * draw.uniform(n, 1).square()
        distance = (phase - centre + 0.5).remainder(1.0) - 0.5
        round_burst = torch.exp(-((distance / width) ** 2))
        sharp_burst = torch.exp(-distance.clamp(min=0) / width) * (distance > 0)
        envelope = torch.where(draw.chance(n, 0.5), round_burst, sharp_burst)
        pitch = draw.octaves(n, 25.0, 2500.0)
        gain = torch.exp(-(((log_frequencies - pitch.log()) / draw.uniform(n, 1, low=0.1, high=1.2)) ** 2))
        band = to_unit(draw.waveform(spectrum * gain))
        tone = 1.4 * torch.sin(
            2 * math.pi * pitch * draw.times * (1 + 0.3 * (draw.uniform(n, 1) - 0.5) * distance)
        )
        share = draw.uniform(n, 1)
        loud = draw.chance(n, 0.65) * (0.15 + draw.uniform(n, 1))
        x = x + loud * envelope * (share * band + (1 - share) * tone)
    return to_unit(x + 1e-3 * draw.normal(n, draw.n_samples))


def friction(draw, n):
    """Stick-slip: noisy pulses at an unsteady rate through narrow resonances, from creaks to squeals and scrapes."""
    rate = draw.octaves(n, 8.0, 900.0)
    unsteady = rate * torch.exp(0.8 * draw.uniform(n, 1) * draw.smooth(n, 14))
    phase = torch.cumsum(unsteady.double(), 1).div(SAMPLE_RATE).frac().float()
    sharpness = draw.octaves(n, 2.0, 30.0)
    slip = torch.exp(-sharpness * phase)
    rough = draw.uniform(n, 1).square()
    x = (slip - slip.mean(1, keepdim=True)) * (1 + rough * draw.normal(n, draw.n_samples))
    x = draw.waveform(torch.fft.rfft(x) * _resonances(draw, n, 3, low=200.0))
    strokes = 0.5 + 0.5 * torch.sin(
        2 * math.pi * (draw.octaves(n, 0.3, 6.0) * draw.times + draw.uniform(n, 1))
    )
    return to_unit(x * torch.where(draw.chance(n, 0.6), strokes.square(), torch.ones_like(strokes)))


def liquids(draw, n):
    """Bubbles, gurgling and drips: decaying tones whose pitch rises, over a bed of band noise."""
    n_bubbles, length = 48, 2048
    start = (draw.uniform(n, n_bubbles) * (draw.n_samples - length)).long()
    pitch = draw.octaves(n, 150.0, 5000.0) * 2 ** (draw.normal(n, n_bubbles) * draw.uniform(n, 1) * 1.5)
    decay = draw.octaves(n, 30.0, 500.0) * (pitch / 1000).clamp(0.2, 5.0)
    rise = draw.uniform(n, n_bubbles) * draw.uniform(n, 1) * 0.15
    times = draw.times[:length]
    turns = pitch[..., None] * times * (1 + (rise * decay)[..., None] * times)
    bubbles = torch.sin(2 * math.pi * turns) * torch.exp(-decay[..., None] * times)
    bubbles = bubbles * (pitch < _HIGHEST / 2)[..., None] * 10 ** (draw.normal(n, n_bubbles, 1) * 0.4)
    x = torch.zeros(n, draw.n_samples, device=draw.device)
    where = (start[..., None] + torch.arange(length, device=draw.device)).flatten(1)
    x.scatter_add_(1, where, bubbles.flatten(1))
    low = draw.octaves(n, 100.0, 4000.0)
    bed = to_unit(
        draw.waveform(draw.noise_spectrum(n) * band_gain(draw.frequencies, low, 2.5 * low, order=1))
    )
    return to_unit(to_unit(x) + draw.uniform(n, 1) * bed * (1 + 0.7 * draw.smooth(n, 30)))


def textures(draw, n, source):
    """Filter waveforms (n, n_samples) by a smooth random mask over time and frequency: speech-like, wind, surf."""
    window = torch.hann_window(1024, device=draw.device)
    spectrum = torch.stft(source, 1024, 256, window=window, return_complex=True)
    n_bands, n_times = (int(draw.integers(high, 1)) for high in (37, 58))
    mask = functional.interpolate(
        draw.normal(n, 1, n_bands + 3, n_times + 2), spectrum.shape[1:], mode="bilinear", align_corners=True
    )[:, 0]
    masked = spectrum * torch.exp(mask * draw.uniform(n, 1, 1, low=0.3, high=2.8))
    return to_unit(torch.istft(masked, 1024, 256, window=window, length=draw.n_samples))
