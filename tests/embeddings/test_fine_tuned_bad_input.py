"""Bad labels, clips and parameters of a tuning, and a tuning that ends too early."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

from skaudio_ad import Augmenter, FineTunedEmbedding, MobileNetEmbedding, PaSSTEmbedding
from skaudio_ad.audio import AudioClips
from skaudio_ad.embeddings import WeightsError

from .small_backbones import BACKBONE

pytestmark = pytest.mark.filterwarnings("ignore:.* with weights=None has random weights:UserWarning")

CLIPS = np.random.default_rng(0).normal(scale=0.1, size=(8, 1600)).astype(np.float32)
LABELS = np.repeat(["fan", "pump"], 4)


def tuned(**settings):
    embedding = MobileNetEmbedding(BACKBONE["mobilenet"], weights=None)
    defaults = {
        "embedding": embedding,
        "trainable": "head",
        "windows_per_clip": 1,
        "max_epochs": 1,
        "random_state": 0,
    }
    return FineTunedEmbedding(**{**defaults, **settings})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r'requires y to be passed.*objective="self"'),
        (["fan"] * 8, r'one class, \'fan\'.*objective="self"'),
        ([1] * 8, r"1 and -1 are the labels of normal and anomalous clips"),
        (["fan", None, "pump", None, *["fan"] * 4], r"2 of 8 have none .*first clip 1.*objective=\"self\""),
        ([0.0, np.nan, *[1.0] * 6], r"1 of 8 have none"),
        (["fan", np.nan, *["pump"] * 6], r"1 of 8 have none"),
        (LABELS[:5], r"got 5 labels for 8 clips"),
        (["fan", 1, *["pump"] * 6], r"labels of one type, got int, str"),
        (np.linspace(0.1, 0.9, 8), r"Unknown label type: continuous"),
    ],
)
def test_labels_that_tell_no_normal_clips_apart_are_an_error(labels, message):
    with pytest.raises(ValueError, match=message):
        tuned().fit(CLIPS, labels)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"embedding": "mini"}, TypeError, "embedding must be a MobileNetEmbedding"),
        ({"objective": "triplet"}, ValueError, "objective must be one of 'softmax'"),
        ({"trainable": "some"}, ValueError, "trainable must be one of 'all', 'head', 'lora'"),
        ({"trainable": 18}, ValueError, r"trainable must lie in \[1, 17\], got 18"),
        ({"trainable": 0}, ValueError, r"trainable must lie in \[1, 17\], got 0"),
        ({"output": "embedding"}, ValueError, "frozen embedding itself"),
        ({"trainable": 1, "output": "projection"}, ValueError, "set projection_size"),
        ({"patchout": (4, 0)}, ValueError, "patchout leaves out patches of a PaSST"),
        ({"patchout": 4}, ValueError, "patchout must be a pair"),
        ({"objective": "self", "mixup_alpha": 0.2}, ValueError, "mixup_alpha mixes labels"),
        ({"augmenter": np.fft.fft}, TypeError, "augmenter must be an Augmenter"),
        ({"augmenter": Augmenter(n_copies=2)}, ValueError, "augmenter must have n_copies=0, got 2"),
        ({"window": 0}, ValueError, r"window must lie in \(0"),
        ({"batch_size": 1}, ValueError, r"batch_size must lie in \[2"),
        ({"checkpoint": "best.pt"}, ValueError, "must end in"),
        ({"checkpoint": "no/such/folder/best.safetensors"}, ValueError, "in a folder that exists"),
        ({"device": "gpu"}, ValueError, "device"),
    ],
)
def test_a_parameter_out_of_range_is_an_error(settings, error, message):
    with pytest.raises(error, match=message):
        tuned(**settings).fit(CLIPS, LABELS)


def test_a_window_longer_than_a_passt_takes_is_an_error():
    embedding = PaSSTEmbedding(BACKBONE["passt"], weights=None)
    with pytest.raises(ValueError, match=r"window must lie in \(0, 10"):
        FineTunedEmbedding(embedding, window=11).fit(CLIPS, LABELS)


def test_clips_labelled_anomalous_are_left_out_with_a_warning():
    y = [1, 1, 1, -1, 1, 1, 1, -1]
    with pytest.warns(UserWarning, match="leaves out 2 of 8 clips: they are labelled -1"):
        fitted = tuned(objective="self").fit(CLIPS, y)
    kept = tuned(objective="self").fit(CLIPS[np.equal(y, 1)])
    assert fitted.loss_curve_ == kept.loss_curve_
    assert tuned(objective="self").fit(CLIPS, LABELS).loss_curve_ != kept.loss_curve_


def test_a_class_with_one_clip_is_trained_on_and_warned_of():
    with pytest.warns(UserWarning, match="1 of 3 classes have a single clip.*'valve'"):
        fitted = tuned(validation_fraction=0.3).fit(CLIPS, [*LABELS[:7], "valve"])
    assert fitted.classes_.tolist() == ["fan", "pump", "valve"]
    assert 7 not in fitted.held_out_indices_


def test_groups_that_hold_a_whole_class_cannot_be_held_out():
    with pytest.raises(ValueError, match="cannot hold out a whole group so that every class keeps clips"):
        tuned().fit(CLIPS, LABELS, groups=LABELS)
    with pytest.raises(ValueError, match="groups must have one entry a clip"):
        tuned().fit(CLIPS, LABELS, groups=LABELS[:3])
    assert len(tuned(validation_fraction=0).fit(CLIPS, LABELS, groups=LABELS).held_out_indices_) == 0


def test_a_single_clip_cannot_be_told_from_others():
    with pytest.raises(ValueError, match="needs at least 2 clips"):
        tuned(objective="self").fit(CLIPS[:1])


def test_clips_at_another_rate_are_an_error():
    with pytest.raises(ValueError, match="32000 Hz, but the clips are at 16000 Hz"):
        tuned().fit(AudioClips(CLIPS, 16000), LABELS)


def test_clips_of_any_length_are_tuned_on():
    clips = [clip[: 200 * (i + 1)] for i, clip in enumerate(CLIPS)]
    assert np.isfinite(tuned().fit(clips, LABELS).transform(clips)).all()


def test_integer_labels_are_classes():
    assert tuned().fit(CLIPS, np.repeat([0, 1], 4)).classes_.tolist() == [0, 1]


class Trouble(BaseEstimator):
    """A transformer of the training windows that fails at its n-th batch."""

    def __init__(self, at, kind):
        self.at, self.kind = at, kind

    def fit_transform(self, X):
        calls.append(len(X))
        if len(calls) < self.at:
            return X
        if self.kind == "interrupt":
            raise KeyboardInterrupt
        return X * np.float32(np.nan)


calls: list[int] = []


@pytest.fixture(autouse=True)
def no_calls():
    calls.clear()


@pytest.mark.parametrize(("kind", "end"), [("interrupt", "interrupted"), ("nan", "diverged")])
def test_a_training_that_stops_half_way_keeps_the_best_weights_so_far(kind, end, tmp_path):
    path = tmp_path / "best.safetensors"
    settings = {"max_epochs": 6, "validation_fraction": 0, "early_stopping": None, "learning_rate": 1e-2}
    broken = tuned(augmenter=Trouble(4, kind), checkpoint=path, **settings)
    with pytest.warns(
        UserWarning, match=f"{'diverged' if kind == 'nan' else 'was interrupted'} after 3 complete"
    ):
        broken.fit(CLIPS, LABELS)
    assert (broken.stopped_by_, broken.n_iter_) == (end, 3)
    whole = tuned(**{**settings, "max_epochs": 3}).fit(CLIPS, LABELS)
    assert broken.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(broken.transform(CLIPS), whole.transform(CLIPS))
    again = clone(broken).load_checkpoint(path)
    np.testing.assert_array_equal(again.transform(CLIPS), whole.transform(CLIPS))
    assert again.classes_.tolist() == ["fan", "pump"]
    assert again.best_epoch_ == whole.best_epoch_


@pytest.mark.parametrize(("kind", "error"), [("interrupt", KeyboardInterrupt), ("nan", ValueError)])
def test_a_training_that_stops_in_its_first_epoch_is_an_error(kind, error, tmp_path):
    path = tmp_path / "best.safetensors"
    with pytest.raises(error):
        tuned(augmenter=Trouble(1, kind), checkpoint=path).fit(CLIPS, LABELS)
    assert not list(tmp_path.iterdir())
    with pytest.raises(WeightsError, match="no such file"):
        tuned().load_checkpoint(path)


def test_a_checkpoint_of_other_parameters_is_refused(tmp_path):
    path = tmp_path / "best.safetensors"
    fitted = tuned(checkpoint=path).fit(CLIPS, LABELS)
    with pytest.raises(WeightsError, match=r"was written with recipe .*Set the parameters"):
        clone(fitted).set_params(projection_size=3).load_checkpoint(path)
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="no checkpoint of a FineTunedEmbedding"):
        clone(fitted).load_checkpoint(path)
