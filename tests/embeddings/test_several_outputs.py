"""Several outputs in one pass of a network: values, names, cache, runtimes, and lists that cannot be."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

import skaudio_ad.embeddings._backbone_engine as backbone_engines
from skaudio_ad import MobileNetEmbedding, ModuleEmbedding
from skaudio_ad.audio import AudioClips, AudioLoader, AudioReadWarning
from skaudio_ad.embeddings import _embed_clips

from .small_backbones import SAMPLE_RATE, assert_equal_up_to_rounding, noise

LISTS = {"mobilenet": ["multilevel", "clip", "block15"], "passt": ["patch_mean", "clip"]}


@pytest.fixture
def passes(monkeypatch):
    """A list that gets the wanted outputs of every batch that goes through a network."""
    outputs = []
    embed = backbone_engines.LoadedBackbone.embed

    def spy(loaded, waveforms, output):
        outputs.append(output)
        return embed(loaded, waveforms, output)

    monkeypatch.setattr(backbone_engines.LoadedBackbone, "embed", spy)
    return outputs


@pytest.mark.parametrize(("family", "kind"), [("mobilenet", list), ("mobilenet", tuple), ("passt", list)])
def test_the_columns_of_a_list_are_those_of_each_output_one_after_the_other(make, family, kind):
    clips = noise(0.4, 1.6)  # the second clip is averaged over windows
    several = make(family, kind(LISTS[family]), window=1.0)
    each = [make(family, output, window=1.0) for output in LISTS[family]]
    made = several.fit(clips).transform(clips)
    assert made.dtype == np.float32
    assert_equal_up_to_rounding(made, np.hstack([one.fit_transform(clips) for one in each]))
    names = [name for one in each for name in one.get_feature_names_out()]
    assert several.get_feature_names_out().tolist() == names
    assert list(clone(several).set_output(transform="pandas").fit_transform(clips[:1]).columns) == names
    assert len(set(names)) == made.shape[1]


def test_a_list_takes_one_pass_of_the_network(make, passes):
    clips = noise(0.3, 0.3)
    embedding = make(output=LISTS["mobilenet"]).fit(clips)
    n_runs = []
    network = embedding._engine().load().runtime.network
    handle = network.features[0].register_forward_hook(lambda *arguments: n_runs.append(1))
    try:
        embedding.transform(clips)
    finally:
        handle.remove()
    assert passes == [("multilevel", "clip", "block15")]
    assert len(n_runs) == 1


def test_a_list_of_one_name_is_that_output(make):
    clips = noise(0.3)
    np.testing.assert_array_equal(
        make(output=["clip"]).transform(clips), make(output="clip").transform(clips)
    )


def test_an_unreadable_clip_is_nan_in_all_columns(make, write_wavs, tmp_path):
    paths = write_wavs([9000, 9000], sample_rate=SAMPLE_RATE)
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    clips = AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform([paths[0], str(tmp_path / "bad.wav")])
    with pytest.warns(AudioReadWarning, match="left out"):
        made = make(output=LISTS["mobilenet"]).transform(clips)
    assert np.isfinite(made[0]).all()
    assert np.isnan(made[1]).all()


# Cache


def test_the_cache_keeps_every_output_by_itself(make, write_wavs, tmp_path, passes):
    paths = write_wavs([9000, 9000, 9000], sample_rate=SAMPLE_RATE)
    kept = make(memory=tmp_path / "kept", output="clip")
    kept.transform(paths[:2])
    assert passes == [("clip",)]
    both = clone(kept).set_params(output=["clip", "multilevel"])
    made = both.transform(paths[:2])
    assert passes[1:] == [("multilevel",)]  # "clip" comes from the cache
    expected = clone(both).set_params(memory=None).transform(paths)
    assert_equal_up_to_rounding(made, expected[:2])
    passes.clear()
    np.testing.assert_array_equal(both.transform(paths[:2]), made)
    np.testing.assert_array_equal(
        clone(kept).set_params(output=["multilevel", "clip"]).transform(paths[:2]),
        np.hstack([made[:, 96:], made[:, :96]]),
    )
    assert passes == []
    assert_equal_up_to_rounding(both.transform(paths), expected)  # the third clip needs both outputs
    assert passes == [("clip", "multilevel")]


# Parameters


def test_a_search_chooses_among_outputs_and_lists_of_outputs(make, tmp_path):
    clips = AudioClips(noise(0.3, 0.3, 0.3, 0.3), SAMPLE_RATE)
    pipeline = Pipeline([("embed", make(memory=tmp_path / "kept")), ("classify", KNeighborsClassifier(1))])
    grid = {"embed__output": ["clip", ["clip", "multilevel"], ("multilevel", "block15")]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(clips, [0, 1, 0, 1])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    output = ["clip", "multilevel"]
    assert clone(make(output=output)).output == output
    pipeline.set_params(embed__output=output).fit(clips, [0, 1, 0, 1])
    assert pipeline[-1].n_features_in_ == 96 + 184


@pytest.mark.parametrize(
    ("family", "output", "message"),
    [
        ("mobilenet", [], r"a list of outputs must hold at least one of 'clip', .*, got \[\]"),
        (
            "mobilenet",
            ["clip", "frames"],
            r"must hold vectors only, got \['clip', 'frames'\], and 'frames' keeps",
        ),
        ("passt", ("tokens",), r"must hold vectors only.*Vectors are 'clip', .*write output='tokens'"),
        ("mobilenet", ["clip", "block5", "clip"], "output must name every output once"),
        (
            "mobilenet",
            ["clip", "class_token"],
            "every name in output must be one of 'clip', .*got 'class_token'",
        ),
        ("mobilenet", [3], "every name in output must be one of 'clip', .*got 3"),
        ("mobilenet", {"clip"}, "output must be one of 'clip', "),
    ],
)
def test_a_list_of_outputs_that_cannot_be_is_refused_with_the_rule(make, family, output, message):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(make(family, output), method)(noise(0.1))


def test_a_list_for_a_variant_without_one_of_the_outputs_names_that_output():
    with pytest.raises(ValueError, match=r"'mini' has no classes\. output must be one of .*got 'logits'"):
        MobileNetEmbedding("mini", output=["clip", "logits"]).fit(noise(0.1))


def test_a_module_takes_a_list_of_its_only_vector():
    module = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.Conv1d(1, 3, 400, stride=160))
    clips = noise(0.3)
    made, expected = (
        ModuleEmbedding(module, sample_rate=SAMPLE_RATE, output=output).fit_transform(clips)
        for output in (["clip"], "clip")
    )
    np.testing.assert_array_equal(made, expected)
    assert made.shape == (1, 3)
    with pytest.raises(ValueError, match=r"must hold vectors only.*'frames' keeps time"):
        ModuleEmbedding(module, sample_rate=SAMPLE_RATE, output=["clip", "frames"]).fit(clips)


def test_the_key_of_an_entry_is_that_of_the_output_alone():
    plan = _embed_clips.Plan(("clip", "multilevel"), True, 100, 25, 10, 8)
    alone = _embed_clips.Plan(("multilevel",), True, 100, 25, 10, 8)
    assert plan.key("multilevel") == alone.key("multilevel") != plan.key("clip")
