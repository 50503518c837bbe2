"""Windows of frames against NumPy's sliding windows."""

import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from skaudio_ad import AutoencoderDetector, NearestNeighborsDetector
from skaudio_ad._lazy import ClipError, LazySequence
from skaudio_ad.audio import AudioClips
from skaudio_ad.detectors._frames import FrameBank, as_windows, training_clips
from skaudio_ad.features import MelTransformer

CPU = torch.device("cpu")


def spectrograms(n_clips=3, n_bins=4, n_frames=9, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, n_bins, n_frames)).astype(np.float32)


def windows_of(clip, length):
    """Windows of a spectrogram (n_bins, n_frames), written out: (n_windows, length, n_bins)."""
    return np.stack([clip[:, i : i + length].T for i in range(clip.shape[1] - length + 1)])


@pytest.mark.parametrize("copy", [True, False])
def test_a_clip_of_313_frames_has_309_windows_of_5(copy):
    bank = FrameBank(spectrograms(2, 128, 313), 5, CPU, copy=copy)
    assert [len(bank.rows_of([i])) for i in (0, 1)] == [309, 309]
    assert bank.windows.shape[1:] == (5, 128)


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_a_window_holds_its_frames_one_after_the_other(length, copy):
    X = spectrograms()
    bank = FrameBank(X, length, CPU, copy=copy)
    for i, clip in enumerate(X):
        expected = np.lib.stride_tricks.sliding_window_view(clip, length, axis=1).transpose(1, 2, 0)
        np.testing.assert_array_equal(bank.windows[bank.rows_of([i])], expected)
        np.testing.assert_array_equal(expected, windows_of(clip, length))


@pytest.mark.parametrize("copy", [True, False])
def test_clips_of_different_lengths_keep_their_own_windows(copy):
    X = [spectrograms(1, 4, n, seed=n)[0] for n in (7, 3, 12)]
    bank = FrameBank(X, 3, CPU, copy=copy)
    assert [len(bank.rows_of([i])) for i in range(3)] == [5, 1, 10]
    np.testing.assert_array_equal(
        bank.windows[bank.rows_of([2, 0])], np.concatenate([windows_of(X[2], 3), windows_of(X[0], 3)])
    )
    # Rows 5, 6 and 8, 9 of the view run from one clip into the next.
    assert sorted(bank.rows_of(range(3))) == [0, 1, 2, 3, 4, 7, *range(10, 20)]


def test_features_are_clips_of_one_frame():
    X = spectrograms()[:, :, 0].astype(np.float64)
    bank = FrameBank(X, 1, CPU)
    assert bank.windows.dtype == torch.float32
    np.testing.assert_array_equal(bank.windows[:, 0], X.astype(np.float32))
    np.testing.assert_array_equal(bank.rows_of([2, 0]), [2, 0])
    assert bank.rows_of(np.arange(0)).tolist() == []


def test_windows_are_views_and_every_frame_is_held_but_once():
    X = spectrograms(50, 32, 200)
    tracemalloc.start()
    bank = FrameBank(X, 5, CPU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert bank.windows.untyped_storage().nbytes() == X.nbytes
    assert X.nbytes <= peak < 1.2 * X.nbytes


def test_without_a_copy_the_windows_are_views_of_the_spectrograms_themselves():
    X = spectrograms(50, 32, 200)
    tracemalloc.start()
    bank = FrameBank(X, 5, CPU, copy=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert bank.windows.data_ptr() == X.ctypes.data
    assert peak < 0.05 * X.nbytes


@pytest.mark.parametrize("order", ["float64", "not contiguous"])
def test_without_a_copy_other_arrays_have_the_same_windows(order):
    X = spectrograms()
    given = X.astype(np.float64) if order == "float64" else np.asfortranarray(X)
    bank = FrameBank(given, 3, CPU, copy=False)
    np.testing.assert_array_equal(bank.windows[bank.rows_of([2])], windows_of(X[2], 3))


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("ndim", [2, 3])
def test_read_only_arrays_are_taken_without_a_warning(ndim, copy):
    X = spectrograms() if ndim == 3 else spectrograms()[:, :, 0]
    X.flags.writeable = False
    bank = FrameBank(X, 1, CPU, copy=copy)
    np.testing.assert_array_equal(bank.windows[0, 0], X[0] if ndim == 2 else X[0, :, 0])


def test_windows_of_one_tensor_overlap():
    frames = torch.arange(8.0).reshape(4, 2)
    assert as_windows(frames, 3).tolist() == [[[0, 1], [2, 3], [4, 5]], [[2, 3], [4, 5], [6, 7]]]


def test_clips_that_are_all_there_are_trained_on_unchanged():
    X = spectrograms()
    clips, present = training_clips(X, 5, "Detector")
    assert clips is X
    assert present.tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["array", "list", "lazy"])
def test_clips_that_could_not_be_read_are_left_out_with_a_warning(kind):
    X = spectrograms(4)
    X[[0, 2]] = np.nan
    given = {"array": X, "list": list(X), "lazy": LazySequence(X)}[kind]
    with pytest.warns(UserWarning, match="Detector is trained without 2 of 4 clips, which could not be read"):
        clips, present = training_clips(given, 5, "Detector")
    assert present.tolist() == [1, 3]
    np.testing.assert_array_equal(np.stack(list(clips)), X[[1, 3]])


def quick_autoencoder():
    return AutoencoderDetector(context=1, hidden_sizes=(4,), bottleneck_size=2, max_epochs=1)


@pytest.mark.parametrize("make", [NearestNeighborsDetector, quick_autoencoder])
@pytest.mark.parametrize("way", ["alone", "in a pipeline", "in two", "fit_predict"])
def test_the_warning_of_clips_that_are_left_out_points_at_the_users_line(make, way):
    X = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    X[3] = np.nan
    estimator = make()
    for _ in range({"alone": 0, "fit_predict": 0, "in a pipeline": 1, "in two": 2}[way]):
        estimator = make_pipeline(None, estimator)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if way == "fit_predict":
            estimator.fit_predict(X)
        else:
            estimator.fit(X)
    (warning,) = [entry for entry in caught if "is trained without 1 of 30" in str(entry.message)]
    assert warning.filename == __file__
    with open(__file__, encoding="utf-8") as file:
        assert "estimator.fit" in file.readlines()[warning.lineno - 1]


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(
        ValueError, match="Detector has nothing to train on: none of the 2 clips could be read"
    ):
        training_clips(np.full((2, 4), np.nan), 1, "Detector")


def test_a_clip_that_could_not_be_read_may_be_shorter_than_a_window():
    X = [np.full((4, 1), np.nan, np.float32), *spectrograms()]
    with pytest.warns(UserWarning, match="without 1 of 4"):
        assert training_clips(X, 5, "Detector")[1].tolist() == [1, 2, 3]


def test_a_clip_shorter_than_a_window_is_named_by_its_place_in_the_input():
    X = [np.full((4, 9), np.nan, np.float32), *spectrograms(2), spectrograms()[0][:, :3]]
    with pytest.raises(ClipError, match=r"^clip 3: has 3 frames, fewer than the 5 of one window; load"):
        training_clips(X, 5, "Detector")


def test_a_recording_shorter_than_a_window_is_named_by_its_file(tmp_path):
    import soundfile

    paths = [str(tmp_path / name) for name in ("long.wav", "short.wav")]
    for path, n_samples in zip(paths, (16000, 1000)):
        soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, n_samples), 16000)
    lazy = MelTransformer(n_mels=8, lazy=True).fit_transform(AudioClips(paths, 16000))
    with pytest.raises(ClipError, match=r"short\.wav: has 2 frames, fewer than the 5"):
        training_clips(lazy, 5, "Detector")
