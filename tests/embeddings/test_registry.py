"""The published checkpoints and backbones of one's own."""

import copy
import importlib.util
import pickle
import re
from pathlib import Path

import pytest

from skaudio_ad.embeddings import AUDIOSET_LABELS, BACKBONES, Backbone, WeightsFile, get_backbone

# Widths and sizes of clip embeddings as the authors' table has them.
MOBILENETS = {
    "mini": (0.4, 384),
    "mn01": (0.1, 96),
    "mn02": (0.2, 192),
    "mn04": (0.4, 384),
    "mn05": (0.5, 480),
    "mn10": (1.0, 960),
    "mn20": (2.0, 1920),
    "mn30": (3.0, 2880),
    "mn40": (4.0, 3840),
    "mn40_ext": (4.0, 3840),
}
# stride, depth
PASSTS = {"passt_s_swa": (10, 12), "passt_s_kd": (10, 12), "passt_l_kd": (10, 7), "passt_s_s16": (16, 12)}


def own(**changes):
    description = {"name": "a", "filename": "a.pt", "family": "mobilenet", "embedding_size": 9}
    return Backbone(**(description | {"settings": {"width": 1}} | changes))


def test_the_published_checkpoints_have_the_shapes_of_their_networks():
    for family, expected in (("mobilenet", MOBILENETS), ("passt", PASSTS)):
        assert {name for name, backbone in BACKBONES.items() if backbone.family == family} == set(expected)
    for name, (width, embedding_size) in MOBILENETS.items():
        backbone = BACKBONES[name]
        assert (backbone.family, backbone.settings, backbone.embedding_size) == (
            "mobilenet",
            {"width": width},
            embedding_size,
        )
        licence = "BSD-3-Clause" if name == "mini" else "MIT"
        assert (backbone.licence, backbone.sample_rate) == (licence, 32000)
    for name, (stride, depth) in PASSTS.items():
        backbone = BACKBONES[name]
        assert (backbone.family, backbone.settings) == ("passt", {"stride": stride, "depth": depth})
        assert (backbone.licence, backbone.sample_rate, backbone.embedding_size) == (
            "Apache-2.0",
            32000,
            768,
        )


def test_every_file_has_a_name_a_url_and_a_citation_of_its_own():
    files = [*BACKBONES.values(), AUDIOSET_LABELS]
    for attribute in ("name", "filename", "url"):
        # Some authors publish their files where no program may fetch them, and "mini" is part of the package.
        values = [getattr(file, attribute) for file in files if getattr(file, attribute) is not None]
        assert len(set(values)) == len(values)
    assert BACKBONES["mini"].url is None
    for file in files:
        assert re.search(r", .* 20\d\d", file.source)
        if file.url is None:
            continue
        assert file.url.startswith("https://")
        # Every file of weights on the Hugging Face hub has the same name.
        assert file.url.removesuffix("?download=1").endswith(("/" + file.filename, "/main/model.safetensors"))


def test_the_urls_and_names_are_those_of_the_authors_code():
    package = importlib.util.find_spec("hear21passt")
    if package is None:
        pytest.skip("hear21passt, of the extra passt, is not installed")
    # Read, not imported: that takes seconds.
    code = (Path(package.submodule_search_locations[0]) / "models" / "passt.py").read_text(encoding="utf-8")
    for name in PASSTS:
        assert f"'{BACKBONES[name].url}'" in code
        assert f"def {BACKBONES[name].author_name}(" in code


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("mn10", "mn10"),
        ("mn10_as", "mn10"),
        ("mn10_as_mAP_471", "mn10"),
        ("mn10_as_mAP_471.pt", "mn10"),
        ("mn40_as", "mn40"),
        ("yucongzh/echo-tiny-0828", "echo_tiny"),
        ("jiangab/FISHER-small-0723", "fisher_small"),
        ("worstchan/EAT-base_epoch30_pretrain", "eat_base"),
        ("mispeech/ced-mini", "ced_mini"),
        ("mn40_as_ext", "mn40_ext"),
        ("passt_s_swa_p16_128_ap476", "passt_s_swa"),
        ("passt-s-f128-p16-s10-ap.476-swa", "passt_s_swa"),
        ("passt-l-kd-ap.47.pt", "passt_l_kd"),
        ("passt-s-f128-p16-s16-ap.468", "passt_s_s16"),
    ],
)
def test_a_backbone_is_found_by_our_name_and_by_the_authors_names(alias, name):
    assert get_backbone(alias) is BACKBONES[name]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"one of 'mini', .*'passt_s_s16'.*, or a Backbone, got 'mn11'"):
        get_backbone("mn11")
    with pytest.raises(ValueError, match=r"^backbone must be one of 'passt_s_swa', [^m]*, got 'mn10'"):
        get_backbone("mn10", family="passt")


@pytest.mark.parametrize(
    ("name", "meant"), [("EAT-base", "eat_base"), ("echo_tny", "echo_tiny"), ("someone/CED-Tiny", "ced_tiny")]
)
def test_an_error_names_the_name_that_was_probably_meant(name, meant):
    with pytest.raises(ValueError, match=rf"got '{name}'\. Did you mean '{meant}'\?$"):
        get_backbone(name)


def test_no_name_is_guessed_for_a_name_unlike_all_others():
    with pytest.raises(ValueError, match=r"got 'quite another'\.$"):
        get_backbone("quite another")


def test_a_name_of_another_family_is_refused_with_that_family():
    with pytest.raises(ValueError, match=r"got 'beats_iter3', a backbone of the family 'beats'\.$"):
        get_backbone("beats_iter3", family="ced")


@pytest.mark.parametrize("wrong", [None, 10, ["mn10"], AUDIOSET_LABELS])
def test_something_that_is_no_name_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="backbone must be a name or a Backbone, got"):
        get_backbone(wrong)


def test_a_backbone_of_ones_own_is_taken_where_a_name_is():
    mine = own()
    assert get_backbone(mine, family="mobilenet") is mine
    with pytest.raises(ValueError, match="must be of the family 'passt', got Backbone"):
        get_backbone(mine, family="passt")


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        BACKBONES["mine"] = own()
    with pytest.raises(AttributeError):
        BACKBONES["mn10"].settings = {"width": 2.0}


def test_a_backbone_survives_copying_and_pickling_and_can_be_a_key():
    for backbone in (*BACKBONES.values(), own()):
        for twin in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
            assert twin == backbone
            assert {backbone: 1}[twin] == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"filename": "folder/a.pt"}, ValueError, "file without a folder, got 'folder/a.pt'"),
        ({"filename": "..\\a.pt"}, ValueError, "without a folder"),
        ({"filename": ".."}, ValueError, "without a folder"),
        ({"filename": ""}, ValueError, "without a folder"),
        ({"url": "file:///etc/passwd"}, ValueError, "url must begin with https:// or http://"),
        ({"sha256": "899a8c"}, ValueError, "64 lower-case hexadecimal digits, got '899a8c'"),
        ({"sha256": "A" * 64}, ValueError, "lower-case"),
        ({"family": "resnet"}, ValueError, "family must be one of 'mobilenet', 'passt'"),
        ({"embedding_size": 0}, ValueError, "embedding_size must lie in"),
        ({"embedding_size": 9.5}, TypeError, "embedding_size must be an integer"),
        ({"mean_average_precision": 47.1}, ValueError, "mean_average_precision must lie in"),
        ({"sample_rate": 16000}, ValueError, "sample_rate must be 32000"),
        ({"settings": {"width": None}}, TypeError, "width must be a number, got None"),
        ({"settings": {"width": 0}}, ValueError, "width must lie in"),
        (
            {"settings": {"breadth": 1}},
            ValueError,
            "a name in settings of the family 'mobilenet' must be one of 'width', got 'breadth'",
        ),
        ({"outputs": ("clip", "tags")}, ValueError, "every output must be one of 'clip', "),
        ({"family": "passt", "settings": {"depth": 12}}, TypeError, "stride must be an integer, got None"),
        ({"family": "passt", "settings": {"stride": 10}}, TypeError, "depth must be an integer, got None"),
    ],
)
def test_a_backbone_that_cannot_be_is_refused(changes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        own(**changes)


def test_a_file_that_is_no_backbone_needs_no_network():
    file = WeightsFile(name="a", filename="a.csv")
    assert (file.url, file.sha256, file.licence) == (None, None, "unknown")
