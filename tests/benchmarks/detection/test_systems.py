"""Published systems as configurations of the benchmark."""

import numpy as np
import pytest

from benchmarks.detection import _configurations, _peers, _systems
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.presets import make_preset

SYSTEMS = {own.name: own for own in _systems.configurations()}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fan")
    return make_machine_sounds(4, 2, machine="fan", duration=1.0, output_dir=folder, random_state=0).paths


@pytest.mark.parametrize(
    ("name", "preset", "settings"),
    [
        ("system-A/heart_lung", "heart_lung", {}),
        ("system-B/dog_bark_vae", "dog_bark_vae", {}),
        ("system-C/next_frame_lstm", "next_frame_lstm", {}),
        ("system-C/window_gru", "window_gru", {}),
        ("official/dcase_baseline", "dcase_baseline", {}),
        ("official/dcase_mahalanobis", "dcase_mahalanobis", {}),
        ("official/dcase_mahalanobis_clip", "dcase_mahalanobis_clip", {}),
        ("official/dcase_baseline levelled", "dcase_baseline", {"level": "rms"}),
        ("mini/genrep", "embedding_genrep", {}),
        ("mini/beam", "embedding_beam", {}),
    ],
)
def test_the_two_parts_of_a_configuration_are_the_preset_with_the_seed(name, preset, settings):
    whole = make_preset(preset, random_state=5, **settings)
    last = SYSTEMS[name].detector(5)
    steps = list(SYSTEMS[name].embed(None).steps)
    steps += list(last.steps) if hasattr(last, "steps") else [("detector", last)]
    assert [key for key, _ in steps] == [key for key, _ in whole.steps]
    assert [_settings(step) for _, step in steps] == [_settings(step) for _, step in whole.steps]


def _settings(step):
    return type(step), {key: repr(value) for key, value in step.get_params().items()}


def test_features_with_one_name_are_computed_in_one_way():
    made = {}
    for own in SYSTEMS.values():
        made.setdefault(own.features, set()).add(repr([_settings(step) for _, step in own.embed(None).steps]))
    assert {name: len(ways) for name, ways in made.items()} == dict.fromkeys(made, 1)


def test_the_first_part_learns_nothing_from_the_clips(paths):
    for own in {own.features: own for own in SYSTEMS.values()}.values():
        alone = own.embed(None).fit(paths[:1]).transform(paths[:1])
        among_others = own.embed(None).fit(paths[1:]).transform(paths)
        np.testing.assert_allclose(alone[0], among_others[0], rtol=1e-4, atol=1e-4, err_msg=own.name)


def test_only_networks_are_run_with_several_seeds():
    assert [name for name, own in SYSTEMS.items() if not own.is_random] == ["mini/genrep", "mini/beam"]


def test_the_command_knows_every_system_and_every_peer_or_says_why_not():
    found, left_out = _configurations.configurations()
    names = [own.name for module in (_systems, _peers) for own in module.configurations()]
    assert len(set(names)) == len(names)
    assert set(names) <= set(found)
    assert set(_peers.left_out()) <= set(left_out)
