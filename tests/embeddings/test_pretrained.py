"""Tags, pipelines, and embeddings by the published weights."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import (
    AudioLoader,
    LevelNormalizer,
    MobileNetEmbedding,
    NearestNeighborsDetector,
)
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.datasets import load_esc10, load_mimii, make_machine_sounds

from .small_backbones import FAMILIES, SAMPLE_RATE, assert_equal_up_to_rounding, noise

# Tags


@pytest.mark.parametrize("family", FAMILIES)
def test_tags_are_the_classes_of_the_largest_logits_with_their_probabilities(
    make, direct, class_table, family
):
    clips = noise(1.0, 0.4)
    for tags, clip in zip(make(family).predict_tags(clips, top=7), clips):
        logits = direct(family, "logits", clip).astype(np.float64)
        best = np.argsort(logits)[::-1][:7]
        assert [name for name, _ in tags] == [f"class {i}, so called" for i in best]
        np.testing.assert_allclose([p for _, p in tags], 1 / (1 + np.exp(-logits[best])), rtol=1e-4)
    assert [len(tags) for tags in make(family, "frames").predict_tags(clips)] == [5, 5]


def test_a_clip_that_could_not_be_read_has_no_tags(make, class_table, write_wavs):
    paths = write_wavs([9000] * 3, sample_rate=SAMPLE_RATE)
    Path(paths[1]).write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        tags = make().predict_tags(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    assert [len(clip) for clip in tags] == [5, 0, 5]


# In pipelines, and with real weights


def test_files_go_through_a_pipeline_to_scores(make, tmp_path):
    make_machine_sounds(6, 3, machine="valve", duration=1.0, output_dir=tmp_path, random_state=0)
    normal, anomalous = (
        sorted(map(str, (tmp_path / kind).glob("*.wav"))) for kind in ("normal", "anomalous")
    )
    pipeline = make_pipeline(AudioLoader(SAMPLE_RATE), make(), StandardScaler(), NearestNeighborsDetector())
    scores = pipeline.fit(normal).score_samples(normal + anomalous)
    assert scores.shape == (9,)
    assert np.isfinite(scores).all()
    assert scores[6:].max() < scores[:6].min()  # a training clip is its own nearest neighbour


def test_clips_of_normalised_level_go_through_a_pipeline_from_arrays(make):
    X = np.stack(noise(0.5, 0.5, 0.5))
    levelled = make_pipeline(LevelNormalizer(), make())
    assert_equal_up_to_rounding(levelled.fit_transform(4 * X), levelled.fit_transform(X))


@pytest.mark.real_data
def test_the_published_weights_separate_faulty_sliders(data_home, real_weights):
    sounds = load_mimii("slider", data_home=data_home)
    target, machine = sounds.target, sounds.metadata["machine_id"]
    train = np.zeros(len(target), dtype=bool)
    for identifier in np.unique(machine):
        train[np.flatnonzero((machine == identifier) & (target == 1))[:6]] = True
    pipeline = make_pipeline(
        AudioLoader(SAMPLE_RATE),
        LevelNormalizer(),
        MobileNetEmbedding("mn04"),
        StandardScaler(),
        NearestNeighborsDetector(metric="euclidean"),
    )
    paths = np.array(sounds.paths)
    pipeline.fit(list(paths[train]))
    assert roc_auc_score(target[~train], pipeline.score_samples(list(paths[~train]))) > 0.9


@pytest.mark.real_data
def test_bfloat16_embeds_recordings_within_a_hundredth_with_the_published_weights(data_home, real_weights):
    paths = load_esc10("Rain", data_home=data_home).paths[::100]
    exact, rough = (
        MobileNetEmbedding("mn04", precision=precision).fit_transform(paths)
        for precision in ("float32", "bfloat16")
    )
    assert (np.linalg.norm(exact - rough, axis=1) < 0.01 * np.linalg.norm(exact, axis=1)).all()


HEARD = {
    "Dog bark": {"Dog", "Bark"},
    "Rooster": {"Chicken, rooster", "Crowing, cock-a-doodle-doo"},
    "Rain": {"Rain", "Rain on surface", "Raindrop"},
    "Chainsaw": {"Chainsaw"},
    "Helicopter": {"Helicopter"},
    "Baby cry": {"Baby cry, infant cry", "Crying, sobbing"},
}


@pytest.mark.real_data
def test_the_published_weights_hear_what_is_to_be_heard(data_home, real_weights):
    n_heard = {}
    for category, classes in HEARD.items():
        sounds = load_esc10(category, data_home=data_home)
        paths = np.array(sounds.paths)[sounds.target == 1][::8]
        tags = MobileNetEmbedding("mn04").predict_tags(list(paths), top=5)
        assert len(tags) == 5
        n_heard[category] = sum(bool(classes & {name for name, _ in clip}) for clip in tags)
    # Of 30. Chainsaws and helicopters are often taken for other engines: 25 and 26 of all 40 are named.
    assert sum(n_heard.values()) >= 21
    assert min(n_heard.values()) >= 2
