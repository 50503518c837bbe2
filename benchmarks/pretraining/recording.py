"""From sources to recordings: mixtures, rooms, microphones, recorders."""

import torch
from torch.nn import functional

from . import sounds
from .sounds import SAMPLE_RATE, Draw, to_unit

# Share of each source among the sources that are made.
SHARES = {
    "tones": 0.2,
    "noise": 0.15,
    "impacts": 0.15,
    "bearings": 0.1,
    "cycles": 0.18,
    "friction": 0.06,
    "liquids": 0.06,
    "textures": 0.1,
}
# Half of common sample rates, in Hz, and 16 kHz for a recording without a limit.
_LIMITS = (1000.0, 2000.0, 4000.0, 5512.0, 8000.0, 8000.0, 11_025.0, 16_000.0, 16_000.0, 16_000.0)


class SoundGenerator:
    """Endless batches of synthesised recordings.

    Sources wait in a pool. For every batch some sources of the pool are replaced by new ones, and every clip mixes one
    to three sources of the pool at random levels and times. A source is heard in several mixtures, which costs less
    than a new source for every clip.

    Parameters
    ----------
    duration : float, default=2.0
        Length of a clip, in seconds.
    pool_size : int, default=512
        Number of sources in the pool.
    fresh : float, default=0.5
        Number of new sources for each clip.
    seed : int, default=0
    device : str, default="cpu"
    """

    def __init__(self, duration=2.0, *, pool_size=512, fresh=0.5, seed=0, device="cpu"):
        self.fresh, self.pool_size = fresh, pool_size
        self.generator = torch.Generator(device).manual_seed(seed)
        self.draw = Draw(self.generator, 2 * round(duration * SAMPLE_RATE / 2))
        self.pool = None

    def state_dict(self):
        """State of the random generator. The pool is made anew after a restart."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state):
        """Continue the stream of random numbers of another generator."""
        self.generator.set_state(state["generator"])
        self.pool = None

    def sources(self, n):
        """Make `n` new sources, (n, n_samples), in random order."""
        counts = torch.tensor(list(SHARES.values()), dtype=torch.float64)
        kinds = torch.multinomial(
            counts.to(self.draw.device), n, replacement=True, generator=self.generator
        ).bincount(minlength=len(SHARES))
        made = []
        for name, count in zip(SHARES, kinds.tolist()):
            if name == "textures" and count:
                voiced = count // 2
                parts = [self.draw.normal(count - voiced, self.draw.n_samples)]
                parts += [sounds.tones(self.draw, voiced)] if voiced else []
                made.append(sounds.textures(self.draw, count, torch.cat(parts)))
            elif count:
                made.append(getattr(sounds, name)(self.draw, count))
        order = torch.randperm(n, generator=self.generator, device=self.draw.device)
        return torch.cat(made)[order]

    def batch(self, n):
        """Make recordings.

        Parameters
        ----------
        n : int
            Number of clips.

        Returns
        -------
        torch.Tensor of shape (n, n_samples)
            Waveforms at 32 kHz within [-1, 1].
        """
        if self.pool is None:
            self.pool = torch.cat([self.sources(64) for _ in range(max(self.pool_size // 64, 1))])
        new = self.sources(max(round(self.fresh * n), 1))
        self.pool[self.draw.integers(len(self.pool), len(new))] = new
        mixture = torch.zeros(n, self.draw.n_samples, device=self.draw.device)
        for position, probability in enumerate((1.0, 0.55, 0.2)):
            source = self.pool[self.draw.integers(len(self.pool), n)]
            shift = int(self.draw.integers(self.draw.n_samples, 1))
            decibels = self.draw.uniform(n, 1, low=-22.0, high=3.0) if position else torch.zeros(1, 1)
            gain = 10 ** (decibels.to(mixture.device) / 20) * self.draw.chance(n, probability)
            mixture = mixture + gain * source.roll(shift, dims=1)
        return record(self.draw, mixture)


def record(draw, x):
    """Put clips (n, n_samples) into a room, before a microphone and through a recorder."""
    n = len(x)
    wave = torch.sin(2 * torch.pi * (draw.times * draw.octaves(n, 0.2, 3.0) + draw.uniform(n, 1)))
    switched = (wave > draw.uniform(n, 1, low=-0.8, high=0.6)).float()
    x = x * torch.where(draw.chance(n, 0.15), switched, torch.ones_like(switched))
    # Factory, street or ward: noise whose colour is between white and brown, and hum of the mains.
    colour = (draw.frequencies / 1000) ** draw.uniform(n, 1, low=-1.5, high=0.0)
    floor = to_unit(draw.waveform(draw.noise_spectrum(n) * colour))
    x = to_unit(x) + floor * 10 ** (-draw.uniform(n, 1, low=-2.0, high=60.0) / 20)
    mains = torch.where(draw.chance(n, 0.5), 50.0, 60.0)
    hum = sum(torch.sin(2 * torch.pi * k * mains * draw.times) / k for k in (1, 2, 3))
    x = x + draw.chance(n, 0.15) * hum * 10 ** (-draw.uniform(n, 1, low=5.0, high=40.0) / 20)
    spectrum = torch.fft.rfft(to_unit(x)) * _microphone(draw, n)
    in_room = draw.chance(n, 0.35)
    if in_room.any():
        rows = in_room[:, 0]
        spectrum[rows] = spectrum[rows] * _room(draw, int(rows.sum()))
    limit = torch.tensor(_LIMITS, device=draw.device)[draw.integers(len(_LIMITS), n)][:, None]
    edge = torch.where(draw.chance(n, 0.5), 0.02, 0.1) * limit  # width of the recorder's low-pass filter
    x = to_unit(draw.waveform(spectrum * torch.sigmoid((limit - draw.frequencies) / edge * 4)))
    clipped = draw.chance(n, 0.06)
    ceiling = draw.uniform(n, 1, low=1.0, high=3.0)
    x = torch.where(clipped, torch.maximum(torch.minimum(x, ceiling), -ceiling), x)
    x = x + draw.normal(n, draw.n_samples) * 10 ** (-draw.uniform(n, 1, low=50.0, high=100.0) / 20)
    level = (draw.normal(n, 1) * 6 - 24).clamp(-50, -6)
    return (to_unit(x) * 10 ** (level / 20)).clamp(-1, 1)


def _microphone(draw, n):
    """Gain (n, n_bins): a smooth curve over eight octaves with a deviation of 3 dB, and a high-pass filter."""
    octave = (draw.frequencies / 16_000).log2().clamp(min=-9) / 9 + 1  # 0 to 1
    points = draw.normal(n, 1, 10) * 3
    position = torch.stack([octave * 2 - 1, torch.zeros_like(octave)], -1)[None, None].expand(n, 1, -1, 2)
    decibels = functional.grid_sample(points[:, :, None], position, align_corners=True)[:, 0, 0]
    corner = draw.octaves(n, 5.0, 150.0)
    return 10 ** (decibels / 20) / (1 + (corner / draw.frequencies) ** 4).sqrt()


def _room(draw, n):
    """Spectrum (n, n_bins) of a direct path, and of an exponential tail of noise at a random level."""
    half = draw.n_samples // 2
    decay = torch.exp(-draw.times[:half] * draw.octaves(n, 4.0, 60.0))
    response = draw.normal(n, half) * decay * draw.octaves(n, 0.02, 0.25)
    response[:, 0] = 1.0
    return torch.fft.rfft(response, draw.n_samples)
