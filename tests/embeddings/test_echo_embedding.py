"""`ECHOEmbedding`: any sample rate, windows on whole frames, and files of the authors."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from benchmarks.authors.seeded import seeded_state_dict
from skaudio_ad import AudioClips, ECHOEmbedding, FineTunedEmbedding
from skaudio_ad.embeddings import BACKBONES, Backbone, WeightsError, get_family
from skaudio_ad.embeddings.families._echo import _read_checkpoint
from skaudio_ad.networks import ECHO, LogSpectrogram
from skaudio_ad.persistence import load_detector, save_detector

SETTINGS = {"size": 16, "heads": 2, "depth": 1}
LITTLE = Backbone(name="little", filename="little.pt", family="echo", settings=SETTINGS, embedding_size=112)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("echo") / "little.pt"
    torch.save(network(16_000).state_dict(), path)
    return path


def network(rate):
    made = ECHO(rate, **SETTINGS).eval().requires_grad_(False)
    made.load_state_dict(seeded_state_dict(made.state_dict()), strict=True)
    return made


def embedding(weights, rate=None, **parameters):
    return ECHOEmbedding(LITTLE, weights=weights, sample_rate=rate, device="cpu", **parameters)


def noise(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    return (0.3 + rng.normal(scale=np.linspace(0.01, 0.1, n_samples))).astype(np.float32)


def spectrogram(clip, rate):
    """Spectrogram of a whole clip, whose mean is subtracted, (n_bins, n_frames)."""
    settings = {"offset": 1e-9, "mean": -5.874158, "std": 5.223174}
    front_end = LogSpectrogram(rate, n_fft=int(0.025 * rate), hop_length=int(0.01 * rate), **settings)
    return front_end(torch.from_numpy(clip)[None])[0]


# Windows


@pytest.mark.parametrize("rate", [1000, 1102])  # a step of 11 samples at 1102 Hz is shorter than 10 ms
def test_windows_of_a_long_clip_are_blocks_of_2000_frames_of_one_spectrogram(weights, rate):
    clip = noise(47 * rate + 3)
    whole = spectrogram(clip, rate)
    n_frames = whole.shape[1]
    assert 4600 < n_frames < 4800
    # As the authors cut the spectrogram: the last window has the last 2000 frames.
    blocks = [whole[:, :2000], whole[:, 2000:4000], whole[:, -2000:]]
    expected = np.mean([network(rate)(block[None], "clip")["clip"][0].numpy() for block in blocks], axis=0)
    made = embedding(weights, rate).transform([clip])[0]
    np.testing.assert_allclose(made, expected, atol=1e-5 * np.abs(expected).max())
    # Outputs with time have every frame once, because the last window has the frames that are left.
    rest = [*blocks[:2], whole[:, 4000:]]
    expected = np.concatenate([network(rate)(block[None], "grid")["grid"][0].numpy() for block in rest], -1)
    made = embedding(weights, rate, output="grid").transform([clip])[0]
    np.testing.assert_allclose(made, expected, atol=1e-5 * np.abs(expected).max())
    assert made.shape[-1] == -(-n_frames // 16)


def test_times_of_frames_continue_over_windows():
    frames = ECHOEmbedding(LITTLE, output="frames", sample_rate=11_025)
    seconds = frames.frames_to_seconds(np.arange(300))
    # The step of the spectrogram has 110 samples, and a patch has 16 steps.
    np.testing.assert_allclose(np.diff(seconds), 16 * 110 / 11_025)
    assert seconds[0] == pytest.approx((15 * 110 + 275) / 2 / 11_025)


def test_a_clip_of_twenty_seconds_is_one_window_and_shorter_windows_have_whole_patches(weights):
    clip = noise(20_000)
    expected = network(1000)(spectrogram(clip, 1000)[None], "clip")["clip"].numpy()
    made = embedding(weights, 1000).transform([clip])
    np.testing.assert_allclose(made, expected, atol=1e-5 * np.abs(expected).max())
    assert get_family("echo").window_lengths(dataclasses.replace(LITTLE, sample_rate=1000), 10.0) == (
        1007 * 10 + 25,
        1008 * 10,
    )


def test_the_mean_of_a_clip_does_not_matter_and_silence_is_finite(weights):
    clip = noise(30_000)
    one = embedding(weights, 1000)
    made = one.transform([clip, clip + 0.5, np.zeros(5000, np.float32), np.full(7, 0.2, np.float32)])
    np.testing.assert_allclose(made[1], made[0], atol=1e-3 * np.abs(made[0]).max())
    np.testing.assert_array_equal(made[2], one.transform([np.zeros(5000, np.float32)])[0])
    assert np.isfinite(made).all()


# Sample rates


def test_the_number_of_columns_follows_the_rate(weights):
    for rate, n_bands in ((100, 1), (8000, 4), (16_000, 7), (48_000, 19)):
        one = embedding(weights, rate, output="token_mean").fit([noise(rate)])
        made = one.transform([noise(rate)])
        assert made.shape == (1, 16 * n_bands)
        names = one.get_feature_names_out().tolist()
        assert (names[0], len(names)) == ("little_token_mean0", 16 * n_bands)
        edges = one.set_params(output="grid").band_edges()
        assert edges.shape == (n_bands, 2)
        assert edges[0, 0] == 0
        assert edges[-1, 1] == rate / 2
    # The second band at 16 kHz has the frequencies 32 to 63, 40 Hz apart.
    np.testing.assert_allclose(embedding(weights, 16_000).band_edges()[1], [31.5 * 40, 63.5 * 40])


@pytest.mark.parametrize("rate", [1, 99])
def test_a_rate_without_a_sample_for_every_step_is_refused(weights, rate):
    with pytest.raises(ValueError, match=rf"sample_rate of ECHO must lie in \[100, inf\], got {rate}"):
        embedding(weights, rate).fit([noise(500)])
    with pytest.raises(ValueError, match=rf"sample_rate of ECHO must lie in .*, got {rate}"):
        embedding(weights).fit(AudioClips([noise(500)], rate))


@pytest.mark.parametrize("rate", ["16000", 16_000.5, True, 0])
def test_a_rate_that_is_no_number_of_hertz_is_refused(weights, rate):
    with pytest.raises((TypeError, ValueError), match="sample_rate must"):
        embedding(weights, rate).fit([noise(500)])


def test_what_needs_the_rate_says_so_before_a_fit(weights):
    one = embedding(weights, output="grid")
    for method in (one.band_edges, one.describe, one.get_feature_names_out):
        with pytest.raises(NotFittedError, match="takes any sample rate and must know which: call fit"):
            method()


def test_a_fit_on_clips_of_another_rate_forgets_the_first_rate(weights):
    one = embedding(weights).fit(AudioClips([noise(4000)], 8000))
    assert one.sample_rate_ == 8000
    with pytest.raises(ValueError, match=r"at sample_rate=8000 Hz, but the clips are at 16000 Hz"):
        one.transform(AudioClips([noise(4000)], 16_000))
    assert one.fit(AudioClips([noise(4000)], 16_000)).transform([noise(4000)]).shape == (1, 112)


def test_another_rate_needs_another_fit(weights):
    one = embedding(weights, 8000).fit([noise(4000)])
    one.set_params(sample_rate=16_000)
    with pytest.raises(
        ValueError, match="was fitted at 8000 Hz, and variant and sample_rate now ask for 16000 Hz"
    ):
        one.transform([noise(4000)])
    assert one.fit([noise(4000)]).transform([noise(4000)]).shape == (1, 112)


def test_a_fine_tuned_network_of_any_rate_keeps_the_rate_of_its_training(weights, tmp_path, monkeypatch):
    import skaudio_ad.embeddings._registry as registry

    monkeypatch.setitem(registry._BACKBONES, "little", LITTLE)
    clips = AudioClips([noise(4000, seed) for seed in range(4)], 8000)
    tuned = FineTunedEmbedding(
        ECHOEmbedding("little", weights=weights, device="cpu"),
        objective="self",
        trainable="lora",
        max_epochs=1,
        windows_per_clip=1,
        window=0.3,
        random_state=0,
    ).fit(clips)
    made = tuned.transform(clips)
    assert made.shape == (4, 4 * 16)
    frozen = embedding(weights).fit(clips).transform(clips)
    assert 0 < np.abs(made - frozen).max() < 0.5 * np.abs(frozen).max()
    with pytest.raises(ValueError, match=r"at sample_rate=8000 Hz, but the clips are at 16000 Hz"):
        tuned.transform(AudioClips([noise(4000)], 16_000))
    save_detector(tuned, tmp_path / "tuned.skops")
    np.testing.assert_array_equal(load_detector(tmp_path / "tuned.skops").transform(clips), made)


# Files


def test_a_file_without_the_table_of_positions_is_taken(weights, tmp_path):
    state = ECHO(16_000, **SETTINGS).state_dict()
    del state["pos_embed"]
    torch.save(state, tmp_path / "little.pt")
    full = _read_checkpoint(state, LITTLE)
    assert torch.equal(full["pos_embed"], ECHO(16_000, **SETTINGS).pos_embed)
    assert np.isfinite(embedding(tmp_path / "little.pt", 16_000).transform([noise(4000)])).all()


@pytest.mark.parametrize(("have", "want"), [("echo_small", "echo_tiny"), ("echo_tiny", "echo_small")])
def test_a_file_of_the_other_size_is_refused_by_name(have, want, tmp_path):
    with torch.device("meta"):
        state = ECHO(16_000, **BACKBONES[have].settings).state_dict()
    state = {name: torch.zeros(1).expand(value.shape) for name, value in state.items()}
    torch.save({"encoder": state}, tmp_path / "echo.pth")
    with pytest.raises(
        WeightsError, match=rf"echo\.pth: is a file of ECHO \(size .*'{have}'.*'{want}' needs size"
    ):
        ECHOEmbedding(want, weights=tmp_path / "echo.pth", sample_rate=16_000).fit([noise(4000)])
