"""A tuned backbone: what is trained, what comes out, and that training and test stay apart."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skaudio_ad import (
    AudioLoader,
    Augmenter,
    FineTunedEmbedding,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    PaSSTEmbedding,
    ShrinkageWhitener,
)
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.embeddings._fine_tuned_engine import TunedEngine
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet

from .small_backbones import BACKBONE, SAMPLE_RATE

pytestmark = pytest.mark.filterwarnings("ignore:.* with weights=None has random weights:UserWarning")

LABELS = np.repeat(["fan", "pump", "valve"], 4)


def sounds(n_samples=4800, seed=0):
    """Four noisy tones of each of three pitches."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / SAMPLE_RATE
    tones = [
        np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6)) for pitch in np.repeat([500, 1500, 4000], 4)
    ]
    return (np.stack(tones) * 0.2 + rng.normal(scale=0.05, size=(12, n_samples))).astype(np.float32)


CLIPS = sounds()


def tuned(**settings):
    embedding = MobileNetEmbedding(BACKBONE["mobilenet"], weights=None, **settings.pop("embedding", {}))
    return FineTunedEmbedding(
        embedding, **{"window": 0.1, "windows_per_clip": 2, "max_epochs": 1, "random_state": 0, **settings}
    )


@pytest.fixture(scope="module")
def whole():
    return tuned(trainable="all", max_epochs=3).fit(CLIPS, LABELS)


def network_of(fitted):
    """The network before the tuning, and the tuned arrays of the backbone."""
    from skaudio_ad.embeddings._backbone_engine import build_network

    network = build_network(fitted.embedding_._engine()).eval()
    assert isinstance(network, MobileNet)
    return network, {name: torch.from_numpy(array) for name, array in fitted.tuned_weights_.items()}


def clip_embeddings(network):
    with torch.no_grad():
        return network(AudioSetFrontEnd()(torch.from_numpy(CLIPS)), ("clip",))["clip"].numpy()


@pytest.mark.parametrize(
    ("objective", "trainable", "fraction"),
    [
        ("softmax", "all", 0.3),
        ("arcface", 3, 0.7),
        ("adacos", "all", 0.8),
        ("self", "lora", 0.85),
        ("softmax", "head", 0.6),
    ],
)
def test_every_objective_learns_a_few_clips(objective, trainable, fraction):
    fitted = FineTunedEmbedding(
        MobileNetEmbedding("mini"),
        objective=objective,
        trainable=trainable,
        window=0.1,
        windows_per_clip=2,
        max_epochs=7,
        learning_rate=1e-2,
        backbone_learning_rate=1e-3,
        validation_fraction=0,
        early_stopping=None,
        random_state=0,
    ).fit(CLIPS, LABELS)
    assert fitted.loss_curve_[-1] < fraction * fitted.loss_curve_[0]
    assert (fitted.n_iter_, fitted.stopped_by_, fitted.validation_loss_curve_) == (7, "max_epochs", [])
    assert fitted.classes_.tolist() == ([] if objective == "self" else ["fan", "pump", "valve"])


def test_the_embedding_is_that_of_the_network_with_the_trained_weights(whole):
    network, weights = network_of(whole)
    before = clip_embeddings(network)
    state = {
        name.removeprefix("network."): value for name, value in weights.items() if name.startswith("network.")
    }
    assert set(state) == {n for n, _ in network.named_parameters() if not n.startswith("classifier")}
    network.load_state_dict(state, strict=False)
    expected = clip_embeddings(network)
    np.testing.assert_allclose(whole.transform(CLIPS), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected - before).max() > 1e-3 * np.abs(before).max()


def test_the_projection_is_linear_in_the_frozen_embedding():
    fitted = tuned(trainable="head", projection_size=5).fit(CLIPS, LABELS)
    network, weights = network_of(fitted)
    matrix, offset = (weights[f"projection.{name}"].numpy() for name in ("weight", "bias"))
    expected = clip_embeddings(network) @ matrix.T + offset
    np.testing.assert_allclose(fitted.transform(CLIPS), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert set(weights) == {"projection.weight", "projection.bias", "head.weight", "head.bias"}
    assert fitted.get_feature_names_out()[:2].tolist() == ["tiny_projection0", "tiny_projection1"]
    assert fitted.set_output(transform="pandas").transform(CLIPS).columns[4] == "tiny_projection4"


def test_only_adapters_and_head_are_kept_for_lora():
    fitted = tuned(trainable="lora", rank=2, embedding={"output": "grid"}).fit(CLIPS, LABELS)
    names = [name for name in fitted.tuned_weights_ if not name.startswith("head.")]
    assert len(names) > 10
    assert all(name.endswith((".0.down", ".0.up")) for name in names)
    assert fitted.transform(CLIPS[:2]).shape == (2, 96, 4, 1)
    assert fitted.get_feature_names_out()[1] == "x1"
    assert fitted.frames_to_seconds([0.0]).tolist() == [0.0]


def test_a_clip_has_the_same_embedding_alone_and_in_any_order(whole):
    together = whole.transform(CLIPS)
    tolerance = 1e-5 * np.abs(together).max()
    np.testing.assert_allclose(whole.transform(CLIPS[::-1])[::-1], together, rtol=0, atol=tolerance)
    np.testing.assert_allclose(whole.transform(CLIPS[3:4])[0], together[3], rtol=0, atol=tolerance)
    np.testing.assert_allclose(np.stack(list(whole.stream(CLIPS))), together, rtol=0, atol=tolerance)


def test_a_fit_repeats_and_leaves_the_global_generators_alone(whole):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = clone(whole).fit(CLIPS.astype(np.float64), LABELS)
    assert again.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(again.transform(CLIPS), whole.transform(CLIPS))
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert clone(whole).set_params(random_state=1).fit(CLIPS, LABELS).loss_curve_ != whole.loss_curve_


def test_clips_of_every_class_are_held_out_in_whole_groups():
    fitted = tuned(validation_fraction=0.25).fit(CLIPS, LABELS)
    assert LABELS[fitted.held_out_indices_].tolist() == ["fan", "pump", "valve"]
    groups = np.tile([0, 0, 1, 2], 3)  # a group has clips of all classes
    fitted = tuned(validation_fraction=0.25).fit(CLIPS, LABELS, groups=groups)
    held_out = set(groups[fitted.held_out_indices_])
    assert len(held_out) == 1
    assert not held_out & set(np.delete(groups, fitted.held_out_indices_))


def test_augmentation_and_mixup_change_the_training_and_never_an_embedding():
    plain = tuned(trainable=1).fit(CLIPS, LABELS)
    augmenter = Augmenter(("noise", "time_mask", "frequency_mask"), max_mask=0.5, random_state=3)
    for settings in ({"augmenter": augmenter}, {"mixup_alpha": 0.4}):
        varied = tuned(trainable=1, **settings).fit(CLIPS, LABELS)
        assert varied.loss_curve_ != plain.loss_curve_
        np.testing.assert_array_equal(varied.transform(CLIPS), varied.transform(CLIPS))
        network, weights = network_of(varied)
        network.load_state_dict(
            {n.removeprefix("network."): v for n, v in weights.items() if n.startswith("network.")},
            strict=False,
        )
        expected = clip_embeddings(network)
        np.testing.assert_allclose(
            varied.transform(CLIPS), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )


def test_windows_are_random_in_training_and_cover_the_clip_in_validation():
    from skaudio_ad.embeddings._fine_tuned_windows import WindowBank

    bank = WindowBank([np.arange(10.0), np.arange(3.0)], np.zeros(2, dtype=int), length=4, min_samples=2)
    table = bank.table(np.array([0, 1]))
    assert table.tolist() == [[0, 0, 3], [0, 1, 3], [0, 2, 3], [1, 0, 1]]
    assert bank.cut(table, None).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [0, 1, 2, 0]]
    starts = bank.cut(np.repeat(table[:1], 200, axis=0), np.random.default_rng(0))[:, 0]
    assert set(starts) == set(range(7))


def test_the_cache_tells_tuned_weights_apart(tmp_path, whole):
    cached = tuned(trainable="all", max_epochs=3, embedding={"memory": str(tmp_path)}).fit(CLIPS, LABELS)
    for _ in range(2):
        np.testing.assert_array_equal(cached.transform(CLIPS), whole.transform(CLIPS))
    other = clone(cached).set_params(random_state=1).fit(CLIPS, LABELS)
    assert not np.allclose(other.transform(CLIPS), cached.transform(CLIPS), rtol=1e-4)
    frozen = cached.embedding_.transform(CLIPS)
    assert not np.allclose(frozen, cached.transform(CLIPS), rtol=1e-4)


def test_an_engine_that_went_to_another_process_embeds_alike(whole):
    engine = TunedEngine(whole.embedding_._engine(), whole._recipe, whole.tuned_weights_)
    again = pickle.loads(pickle.dumps(engine))
    assert again.digest == engine.digest
    np.testing.assert_array_equal(again._build().embed(CLIPS, "clip"), engine.load().embed(CLIPS, "clip"))


def test_a_pipeline_passes_the_same_labels_to_the_detector():
    pipeline = make_pipeline(tuned(), ShrinkageWhitener(), NearestNeighborsDetector()).fit(CLIPS, LABELS)
    assert pipeline[-1].n_samples_fit_ == 12
    scores = pipeline.score_samples(CLIPS + 0.01)
    assert scores.shape == (12,)
    assert np.isfinite(scores).all()


def test_files_that_cannot_be_read_are_left_out_and_embedded_as_nan(tmp_path):
    import soundfile

    paths = []
    for index, clip in enumerate(CLIPS):
        paths.append(str(tmp_path / f"{index}.wav"))
        soundfile.write(paths[-1], clip, SAMPLE_RATE)
    (tmp_path / "0.wav").write_bytes(b"no audio")
    loaded = AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths)
    with (
        pytest.warns(AudioReadWarning),
        pytest.warns(UserWarning, match="leaves out 1 of 12 clips: they could not be read"),
    ):
        fitted = tuned(validation_fraction=0.25).fit(loaded, LABELS, groups=np.arange(12))
    assert 0 not in fitted.held_out_indices_
    missing = np.isnan(fitted.transform(loaded))
    assert missing[0].all()
    assert not missing[1:].any()
    with pytest.raises(Exception, match=r"0\.wav"):
        tuned().fit(paths, LABELS)


def test_other_weights_than_in_fit_are_refused(tmp_path):
    path = tmp_path / "tiny.pt"
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(MobileNet(0.1).state_dict(), path)
        if seed == 0:
            fitted = FineTunedEmbedding(
                MobileNetEmbedding(BACKBONE["mobilenet"], weights=path),
                trainable="lora",
                window=0.1,
                windows_per_clip=1,
                max_epochs=1,
            ).fit(CLIPS, LABELS)
            assert np.isfinite(fitted.transform(CLIPS)).all()
    with pytest.raises(WeightsError, match="has other weights"):
        fitted.transform(CLIPS)


def test_a_passt_is_tuned_with_patchout():
    embedding = PaSSTEmbedding(BACKBONE["passt"], weights=None)
    fitted = FineTunedEmbedding(
        embedding,
        trainable="lora",
        patchout=(8, 0),
        window=0.2,
        windows_per_clip=1,
        max_epochs=1,
        validation_fraction=0,
        random_state=0,
    ).fit(sounds(6400), LABELS)
    assert np.isfinite(fitted.loss_curve_).all()
    assert fitted.transform(sounds(6400)[:2]).shape == (2, 768)
    assert "blocks.1" in str(fitted.describe())
