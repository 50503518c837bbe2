"""Files of weights of every family: which are taken, and what is said of all others."""

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._backbone_engine as backbone_engines
from skaudio_ad.embeddings import BACKBONES, WeightsError
from skaudio_ad.embeddings._checkpoint import describe_difference, read_state_dict
from skaudio_ad.embeddings._identify import describe_file, identify, read_as
from skaudio_ad.embeddings._registry import get_family, known_families
from skaudio_ad.presets._make_detector import _EMBEDDINGS

from .family_cases import ESTIMATORS, SMALL
from .family_kit import FAMILIES, Kit, authors_formats, other_settings, state_of
from .small_backbones import assert_equal_up_to_rounding


@pytest.fixture(scope="module", params=FAMILIES)
def kit(request, tmp_path_factory):
    yield Kit(request.param, tmp_path_factory.mktemp(request.param))
    backbone_engines._build.cache_clear()


@pytest.fixture(scope="module")
def states():
    """State dict of the small network of every family, with names and shapes and without values."""
    return {name: state_of(backbone) for name, backbone in SMALL.items()}


def save(content, path):
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in content.items()}, path)
    else:
        torch.save(content, path)
    return path


# Files that are taken


def test_a_file_is_read_in_every_format_that_is_in_use(kit, tmp_path):
    clips = kit.noise(0.4)
    expected = kit.direct("clip", clips[0])
    for number, (name, content) in enumerate(authors_formats(kit.name, kit.network.state_dict())):
        if name.endswith(".safetensors"):
            pytest.importorskip("safetensors")
        path = save(content, tmp_path / f"{number}_{name}")
        made = kit.embedding(weights=path).fit(clips).transform(clips)
        assert_equal_up_to_rounding(made, [expected])
        path.unlink()


def test_weights_in_half_precision_are_read_as_float32(kit, tmp_path):
    clips = kit.noise(0.4)
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in kit.network.state_dict().items()
    }
    path = save(state, tmp_path / "half.pt")
    made = kit.embedding(weights=path).fit_transform(clips)
    expected = kit.direct("clip", clips[0])
    assert np.linalg.norm(made - expected) < 0.02 * np.linalg.norm(expected)


# Files of other networks


def test_a_file_of_every_other_family_is_refused_by_its_name(kit, states):
    for name, state in states.items():
        for file, content in authors_formats(name, state):
            if name == kit.name:
                read_as(content, kit.backbone)
                continue
            with pytest.raises(ValueError, match=f"is no file of {kit.family.title} but a file of ") as error:
                read_as(content, kit.backbone)
            assert f"but a file of {get_family(name).title} (" in str(error.value), file


def test_a_file_is_of_one_family_alone(kit, states):
    for _, content in authors_formats(kit.name, states[kit.name]):
        takers = [family.name for family in known_families() if family.identify(content) is not None]
        assert takers == [kit.name]


def test_a_file_of_another_family_is_refused_by_its_path(kit, tmp_path):
    others = {name: state_of(backbone) for name, backbone in SMALL.items() if name != kit.name}
    other = min(others, key=lambda name: sum(value.numel() for value in others[name].values()))
    zeros = {name: torch.zeros(value.shape) for name, value in others[other].items()}
    path = save(zeros, tmp_path / "other.pt")
    with pytest.raises(
        WeightsError,
        match=rf"other\.pt: is no file of {kit.family.title} but a file of {get_family(other).title} ",
    ):
        kit.embedding(weights=path).fit(kit.noise(0.1))


def test_a_file_of_another_size_depth_or_stage_is_refused_by_the_setting(kit):
    changes = dict(other_settings(kit.backbone))
    assert changes
    for name, value in changes.items():
        other = kit.with_settings(**{name: value})
        with pytest.raises(
            ValueError, match=rf"is a file of {kit.family.title} \(.*{name} {value}[,)].*needs .*{name} "
        ):
            read_as(state_of(other), kit.backbone)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_file_of_a_published_variant_is_recognised_by_its_tensors(name):
    backbone = BACKBONES[name]
    state = state_of(backbone)
    family, found = identify(state)
    assert family.name == backbone.family
    assert {key: backbone.settings.get(key) for key in found if key in family.settings} == found
    assert repr(name) in describe_file(family, found)
    assert read_as(state, backbone).keys() == state.keys()


def test_a_file_without_one_of_its_tensors_is_refused_by_the_name_of_the_tensor(kit, tmp_path):
    state = dict(kit.network.state_dict())
    name = list(state)[len(state) // 2]
    del state[name]
    path = save(state, tmp_path / "lacking.pt")
    with pytest.raises(WeightsError) as error:
        kit.embedding(weights=path).fit(kit.noise(0.1))
    assert str(path) in str(error.value)
    assert name in str(error.value)


# Files that are damaged or hostile


class Hostile:
    """Object that makes a folder when a pickle of the object is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def hostile_files(kit, folder):
    """Files that hold no weights, each with what its error must say."""
    mark, page = folder / "ran", b"\n<!DOCTYPE html><html><body>Sign in</body></html>"
    alone = r"Python object \w+\.mkdir .* could run any code.*tensors alone, with torch\.save\(module\.state_dict\(\)"
    with open(kit.path, "rb") as file:
        (folder / "cut.pt").write_bytes(file.read(20_000))
    torch.save({"model": Hostile(mark)}, folder / "objects.pt")
    (folder / "pickle.pt").write_bytes(pickle.dumps({"model": Hostile(mark)}, protocol=2))
    for protocol in (2, 4):
        with open(folder / f"numbers{protocol}.pt", "wb") as file:
            pickle.dump({"weight": [1.0]}, file, protocol=protocol)
        yield f"numbers{protocol}.pt", r"written by pickle and not by torch\.save.*safetensors"
    torch.save(torch.nn.Linear(2, 2), folder / "module.pt")
    (folder / "objects.safetensors").write_bytes((folder / "objects.pt").read_bytes())
    tensors = dict(list(kit.network.state_dict().items())[:2])
    whole = save(tensors, folder / "whole.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:-5])
    (folder / "safe.pt").write_bytes(whole)
    for suffix in ("pt", "safetensors"):
        (folder / f"page.{suffix}").write_bytes(page)
        (folder / f"empty.{suffix}").write_bytes(b"")
        (folder / f"pointer.{suffix}").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00")
        yield f"page.{suffix}", "is a web page. Download"
        yield f"empty.{suffix}", "is empty. Download"
        yield f"pointer.{suffix}", "pointer of Git LFS"
        yield f"cut.{suffix}", "is damaged or cut short .* again"
    yield "objects.pt", alone
    yield "pickle.pt", alone
    yield "module.pt", r"Python object torch\.nn\.modules\.linear\.Linear .*or as safetensors"
    yield "objects.safetensors", r"is one of torch\.save, so its name must not end in"
    yield "safe.pt", "is one of safetensors, so its name must end in"


def test_a_file_that_is_damaged_or_holds_objects_is_refused_and_runs_no_code(kit, tmp_path):
    pytest.importorskip("safetensors")
    for name, message in hostile_files(kit, tmp_path):
        reads = (
            "not a file of safetensors"
            if name.endswith("s")
            else r"not a file that torch\.load\(weights_only=True\)"
        )
        with pytest.raises(WeightsError, match=rf"{name}: {reads}.*{message}"):
            kit.embedding(weights=tmp_path / name).fit(kit.noise(0.1))
        assert not (tmp_path / "ran").exists(), name
    pickle.loads((tmp_path / "pickle.pt").read_bytes())  # the attack works where pickles are read
    assert (tmp_path / "ran").exists()


def odd_contents(state):
    """Contents of files that no network takes."""
    name, value = next((name, value) for name, value in state.items() if value.ndim > 1)
    yield from (None, 3, "text", [], [1], (), {}, {"model": None}, {"model": {}}, {"model": 3}, {"cfg": {}})
    yield {"model": {"weight": torch.zeros(2)}, "cfg": {}}
    yield {"cfg": 3, "model": state | {name: 3}}
    yield {3: torch.zeros(2)}
    yield {"encoder": {"weight": torch.zeros(2)}}
    yield {"cfg": None, "model": [torch.zeros(2)], "epoch": 3}
    yield dict.fromkeys(state, 3)
    yield dict.fromkeys(state)
    yield state | {name: 3}
    yield state | {3: value}
    yield {each: torch.zeros(()) for each in state}
    yield {each: torch.zeros(0, 0) for each in state}
    yield {each: torch.zeros(1, 1, 1, 1, 1) for each in state}
    yield {**state, "blocks.99999999999.norm1.weight": torch.zeros(2)}
    yield {"blocks.-1.": torch.zeros(2), "blocks.x.y": torch.zeros(2), "blocks.": torch.zeros(2)}
    yield {"state_dict": state}
    yield {"model": {"model": state}}


def test_a_file_of_odd_content_is_refused_by_its_path_and_nothing_is_built(kit, states, monkeypatch):
    """Whatever stands in a file, the reader of a family raises no other error than one that names the file."""
    for content in odd_contents(states[kit.name]):
        monkeypatch.setattr(
            "skaudio_ad.embeddings._checkpoint._read_torch", lambda path, content=content: content
        )
        try:
            state = read_state_dict("odd.pt", lambda content: read_as(content, kit.backbone))
        except WeightsError as error:
            said = str(error)
        else:  # what is left to compare are names and shapes
            said = f"odd.pt: {describe_difference(state, state_of(kit.backbone))}"
        assert said.startswith("odd.pt: ")
        assert len(said) > 20


def test_a_file_of_weights_says_what_it_is_whatever_else_is_in_it(kit, states):
    for content in odd_contents(states[kit.name]):
        found = identify(content)
        assert found is None or found[0] is kit.family


def test_a_variant_keeps_its_address_licence_and_figures(kit):
    """What the lists print of a variant is there."""
    for variant in kit.family.variants:
        assert variant.licence != "unknown", variant.name
        assert variant.megabytes, variant.name
        assert variant.source, variant.name
        assert all(40 < score < 100 for score in variant.frozen_scores.values())
        assert replace(variant, name="copy").settings == variant.settings
    names = [variant.name for variant in kit.family.variants]
    assert kit.family.default_variant in names


def test_no_two_variants_have_one_name_or_one_file():
    variants = [variant for family in known_families() for variant in family.variants]
    for key in ("name", "filename"):
        values = [getattr(variant, key) for variant in variants]
        assert len(set(values)) == len(values), key


def test_every_family_has_a_small_network_an_estimator_and_a_preset():
    names = {family.name for family in known_families()}
    assert set(SMALL) == set(ESTIMATORS) == set(_EMBEDDINGS) == names
    assert all(_EMBEDDINGS[name] is estimator for name, estimator in ESTIMATORS.items())
    assert all(family.identify is not None for family in known_families())
