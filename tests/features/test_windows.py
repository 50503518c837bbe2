import librosa
import numpy as np
import pytest

from skaudio_ad import AudioClips, FrameTransformer, MelTransformer, PatchTransformer


@pytest.mark.parametrize(("frame_length", "hop_length"), [(2048, 512), (400, 160), (100, 300), (1, 1)])
def test_frames_equal_librosa(rng, frame_length, hop_length):
    X = rng.standard_normal((3, 5000)).astype(np.float32)
    frames = FrameTransformer(frame_length, hop_length).fit_transform(X)
    expected = librosa.util.frame(X, frame_length=frame_length, hop_length=hop_length)
    np.testing.assert_array_equal(frames, expected)
    assert frames.shape == (3, frame_length, (5000 - frame_length) // hop_length + 1)


def test_frames_of_clips_of_different_lengths_are_a_list(rng):
    X = [rng.standard_normal(n).astype(np.float32) for n in (10, 17, 8)]
    frames = FrameTransformer(8, 3).fit_transform(X)
    assert isinstance(frames, list)
    for clip, got in zip(X, frames):
        np.testing.assert_array_equal(got, librosa.util.frame(clip, frame_length=8, hop_length=3))


def test_frames_may_be_lazy_and_accept_clips_of_any_rate(rng):
    clips = AudioClips([rng.standard_normal(100)] * 2, 44100)
    lazy = FrameTransformer(10, 10, lazy=True).fit_transform(clips)
    np.testing.assert_array_equal(lazy[1], clips[1].reshape(10, 10).T)


def test_a_clip_shorter_than_a_frame_is_refused_by_name(write_wavs):
    message = (
        "has 2047 samples, fewer than frame_length=2048; make frame_length smaller, or load longer clips"
    )
    with pytest.raises(ValueError, match=f"^clip 1: {message}"):
        FrameTransformer().fit_transform([np.zeros(2048), np.zeros(2047)])
    with pytest.raises(ValueError, match=f"clip_1.wav: {message}"):
        FrameTransformer().fit_transform(AudioClips(write_wavs([3000, 2047]), 16000))


@pytest.mark.parametrize(
    ("n_frames", "patch_length", "hop_length", "n_patches"),
    [(313, 32, 16, 18), (313, 64, 8, 32), (64, 64, 8, 1), (71, 64, 8, 1), (72, 64, 8, 2), (10, 1, 1, 10)],
)
def test_every_patch_equals_its_part_of_the_spectrogram(rng, n_frames, patch_length, hop_length, n_patches):
    X = rng.standard_normal((2, 5, n_frames))
    patches = PatchTransformer(patch_length, hop_length).fit_transform(X)
    assert patches.shape == (2, n_patches, 5, patch_length)
    for p in range(n_patches):
        start = p * hop_length
        np.testing.assert_array_equal(patches[:, p], X[:, :, start : start + patch_length])


def test_patches_of_an_array_are_a_view_of_it():
    X = np.zeros((2, 5, 100))
    assert np.shares_memory(PatchTransformer().fit_transform(X), X)


@pytest.mark.parametrize("lazy", [False, True])
def test_patches_of_spectrograms_of_different_lengths_are_a_list(rng, lazy):
    X = [rng.standard_normal(n) for n in (20000, 26000)]
    patches = PatchTransformer(16, 4).fit_transform(MelTransformer(n_mels=8, lazy=lazy).fit_transform(X))
    spectrograms = MelTransformer(n_mels=8).fit_transform(X)  # 40 and 51 frames
    assert [item.shape for item in patches] == [(7, 8, 16), (9, 8, 16)]
    for item, spectrogram in zip(patches, spectrograms):
        for p, patch in enumerate(item):
            np.testing.assert_array_equal(patch, spectrogram[:, 4 * p : 4 * p + 16])


def test_lazy_spectrograms_of_one_length_give_one_array_of_patches(rng):
    X = rng.standard_normal((3, 20000))
    lazy = PatchTransformer(16, 4).fit_transform(MelTransformer(n_mels=8, lazy=True).fit_transform(X))
    eager = PatchTransformer(16, 4).fit_transform(MelTransformer(n_mels=8).fit_transform(X))
    np.testing.assert_array_equal(lazy, eager)
    assert eager.shape == (3, 7, 8, 16)


def test_feature_vectors_are_patches_of_one_frame(rng):
    X = rng.standard_normal((4, 6))
    np.testing.assert_array_equal(PatchTransformer(1).fit_transform(X)[:, 0, :, 0], X)


@pytest.mark.parametrize("missing_frames", [1, 70])
def test_patches_of_a_missing_clip_are_missing(rng, missing_frames):
    X = [rng.standard_normal((5, 70)), np.full((5, missing_frames), np.nan), rng.standard_normal((5, 70))]
    patches = PatchTransformer().fit_transform(X)
    assert patches.shape == (3, 1, 5, 64)
    assert np.isnan(patches).all(axis=(1, 2, 3)).tolist() == [False, True, False]
    np.testing.assert_array_equal(patches[2, 0], X[2][:, :64].astype(np.float32))


def test_a_spectrogram_shorter_than_a_patch_is_refused():
    message = "has 63 frames, fewer than patch_length=64; make patch_length smaller, or load longer clips"
    with pytest.raises(ValueError, match=message):
        PatchTransformer().fit_transform(np.zeros((2, 5, 63)))
    with pytest.raises(ValueError, match=f"^clip 1: {message}"):
        PatchTransformer().fit_transform([np.zeros((5, 64)), np.zeros((5, 63))])


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (FrameTransformer(0), r"frame_length must lie in \[1, inf\], got 0"),
        (FrameTransformer(hop_length=0), r"hop_length must lie in \[1, inf\], got 0"),
        (PatchTransformer(0), r"patch_length must lie in \[1, inf\], got 0"),
        (PatchTransformer(hop_length=0), r"hop_length must lie in \[1, inf\], got 0"),
    ],
)
def test_a_window_without_length_or_step_is_refused(transformer, message):
    with pytest.raises(ValueError, match=message):
        transformer.fit(np.zeros((2, 5)))


def test_patches_of_spectrograms_with_other_bins_than_in_fit_are_refused():
    patches = PatchTransformer().fit(np.zeros((2, 5, 70)))
    with pytest.raises(ValueError, match="clip 0 has 6 bins, but PatchTransformer expects 5"):
        patches.transform([np.zeros((6, 70))])
