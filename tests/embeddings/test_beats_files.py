"""Files of BEATs, OpenBEATs and ESPnet: what is read of them, and what is refused."""

import csv

import numpy as np
import pytest
import torch

from benchmarks.authors import beats
from skaudio_ad import BEATsEmbedding, FineTunedEmbedding
from skaudio_ad.embeddings import AUDIOSET_LABELS, BACKBONES, Backbone, WeightsError, find_weights
from skaudio_ad.embeddings._identify import read_as
from skaudio_ad.embeddings.families._audioset_ids import AUDIOSET_IDS
from skaudio_ad.networks import BEATs, BEATsFrontEnd

SIZES = {"size": 32, "depth": 2, "heads": 2}


def backbone(n_classes=0, **attributes):
    return Backbone(
        name="small",
        filename="small.pt",
        family="beats",
        settings={**SIZES, "n_classes": n_classes},
        embedding_size=32,
        **attributes,
    )


def content(n_classes=0, **changes):
    """A file as the authors write it, with other values in its "cfg"."""
    sizes = {**SIZES, "n_classes": n_classes}
    return {"cfg": {**beats.configuration(**sizes), **changes}, "model": beats.authors_state(**sizes)}


def labels(order):
    return {number: AUDIOSET_IDS[index] for number, index in enumerate(order)}


def test_the_convolution_is_folded_and_the_table_is_kept_once():
    state = read_as(content(), backbone())
    with torch.device("meta"):
        assert state.keys() == BEATs(**SIZES).state_dict().keys()
    theirs = content()["model"]
    scale, direction = (theirs[f"encoder.pos_conv.0.weight_{part}"] for part in "gv")
    [folded] = state["encoder.pos_conv.0.weight"].unbind(2)
    expected = torch._weight_norm(direction, scale, 2)
    np.testing.assert_allclose(folded, expected, rtol=0, atol=1e-6 * expected.abs().max())


def test_the_constants_of_openbeats_are_dropped():
    file = content()
    file["model"]["patch_embedding_pad.weight"] = torch.ones(1, 1, 16, 16)
    file["model"]["raw2fbank_pad.weight"] = torch.ones(1, 1, 400)
    assert read_as(file, backbone()).keys() == read_as(content(), backbone()).keys()


def test_a_file_of_espnet_with_a_classifier_is_read_without_it_where_no_logits_are_wanted():
    state = {f"encoder.{name}": value for name, value in content()["model"].items()}
    state |= {"decoder.linear_out.weight": torch.zeros(7, 32), "decoder.linear_out.bias": torch.zeros(7)}
    with pytest.raises(
        ValueError, match=r"a file of BEATs \(size 32, .*, n_classes 7\), and 'small' needs n_classes 0"
    ):
        read_as(state, backbone())
    vectors = ("clip", "bands")
    assert "predictor.weight" not in read_as(state, backbone(7, outputs=vectors))
    assert read_as(state, backbone(7))["predictor.weight"].shape == (7, 32)


def test_a_classifier_of_audioset_gets_the_order_of_audiosets_table():
    order = np.random.default_rng(0).permutation(527)
    file = {**content(527), "label_dict": labels(order)}
    made = read_as(file, backbone(527))
    for name in ("predictor.weight", "predictor.bias"):
        assert torch.equal(made[name][torch.from_numpy(order)], file["model"][name])


def test_a_classifier_of_audioset_without_its_list_of_classes_is_refused():
    message = (
        "under the key 'label_dict' no list of AudioSet's 527 classes, so the order of the classes is unknown"
    )
    for file in (content(527), {**content(527), "label_dict": {0: "/m/09x0r"}}, content(527)["model"]):
        with pytest.raises(ValueError, match=message):
            read_as(file, backbone(527))
    # The layers need no classifier.
    layered = Backbone(
        name="first",
        filename="small.pt",
        family="beats",
        settings={**SIZES, "n_classes": 527, "layers": (1,)},
        embedding_size=32,
    )
    state = read_as(content(527), layered)
    assert "predictor.weight" not in state
    assert not any(name.startswith("encoder.layers.1.") for name in state)


def test_the_list_of_classes_is_that_of_audiosets_table():
    assert len(set(AUDIOSET_IDS)) == 527
    # Speech, the dog, and the last class, a field recording.
    assert (AUDIOSET_IDS[0], AUDIOSET_IDS[74], AUDIOSET_IDS[526]) == ("/m/09x0r", "/m/0bt9lr", "/m/07hvw1")
    path = find_weights(AUDIOSET_LABELS)
    if path is not None:
        with open(path, newline="", encoding="utf-8") as file:
            assert tuple(row["mid"] for row in csv.DictReader(file)) == AUDIOSET_IDS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_distance": 1280}, "a network like BEATs, with max_distance 1280 in its 'cfg'.*have 800"),
        ({"deep_norm": False}, "with deep_norm False in its 'cfg'"),
        ({"layer_norm_first": True}, "with layer_norm_first True"),
        ({"activation_fn": "gelu_accurate"}, "with activation_fn 'gelu_accurate'"),
        ({"fbank_mean": 11.7}, r"with fbank_mean 11\.7 in its 'cfg'"),
    ],
)
def test_a_configuration_of_another_network_is_refused_by_its_entry(changes, message):
    with pytest.raises(ValueError, match=message):
        read_as(content(**changes), backbone())


def test_an_entry_that_a_configuration_lacks_has_the_value_of_the_authors_code():
    file = content()
    del file["cfg"]["conv_pos"]
    read_as(file, backbone())
    del file["cfg"]["max_distance"]
    with pytest.raises(ValueError, match="with max_distance 1280 in its 'cfg'"):
        read_as(file, backbone())


def test_a_file_of_a_tokenizer_is_refused_by_what_it_is():
    file = content()
    file["model"]["quantize.embedding.weight"] = torch.zeros(1024, 256)
    with pytest.raises(ValueError, match=r"is a file of a tokenizer of BEATs.*such as BEATs_iter3"):
        read_as(file, backbone())


def test_tables_of_positions_that_differ_are_refused():
    file = content()
    name = "encoder.layers.1.self_attn.relative_attention_bias.weight"
    file["model"][name] = file["model"][name] + 1
    with pytest.raises(
        ValueError, match=f"another table of relative positions in '{name}' than in the first block"
    ):
        read_as(file, backbone())


def test_a_fine_tuned_file_is_refused_where_a_pretrained_one_was_meant(tmp_path):
    torch.save({**content(527), "label_dict": labels(range(527))}, tmp_path / "tuned.pt")
    with pytest.raises(
        WeightsError,
        match=r"tuned\.pt: is a file of BEATs \(.*n_classes 527\), and 'small' needs n_classes 0",
    ):
        BEATsEmbedding(backbone(), weights=tmp_path / "tuned.pt").fit([np.zeros(4000)])


def test_a_published_file_has_its_checksum_and_says_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    published = [each for each in BACKBONES.values() if each.family == "beats"]
    assert len(published) == 21
    assert len({each.filename for each in published}) == 21
    assert all(each.sha256 for each in published if each.name.startswith("beats_"))
    assert find_weights("beats_iter2") is None
    with pytest.raises(
        WeightsError,
        match=r"BEATs_iter2\.pt is not on this machine.*unilm/tree/master/beats\. Put it there as .*BEATs_iter2\.pt",
    ):
        BEATsEmbedding("beats_iter2").fit([np.zeros(4000)])


@pytest.mark.filterwarnings("ignore:BEATsEmbedding with weights=None")
def test_a_long_clip_is_the_mean_of_windows_of_ten_seconds_of_which_the_last_ends_with_the_clip():
    clip = np.random.default_rng(0).normal(scale=0.1, size=24 * 1600).astype(np.float32)
    embedding = BEATsEmbedding(backbone(), weights=None, window=1.0).fit([clip])
    starts = (0, 16_000, 24 * 1600 - 16_000)
    each = embedding.transform([clip[start : start + 16_000] for start in starts])
    np.testing.assert_allclose(
        embedding.transform([clip])[0], each.mean(0), rtol=0, atol=1e-5 * np.abs(each).max()
    )


@pytest.mark.filterwarnings("ignore:BEATsEmbedding with weights=None")
def test_times_of_frames_are_the_middles_of_their_patches():
    embedding = BEATsEmbedding(backbone(), weights=None, output="frames")
    # The first column of patches spans the samples 0 to 2799.
    np.testing.assert_allclose(embedding.frames_to_seconds([0, 1]), [1400 / 16_000, 1400 / 16_000 + 0.16])
    assert embedding.fit_transform([np.zeros(160_000)]).shape == (1, 32, 62)
    edges = embedding.band_edges()
    assert edges.shape == (8, 2)
    assert BEATsFrontEnd.min_samples == embedding._shortest()
    np.testing.assert_allclose(edges[1:, 0], edges[:-1, 1])


@pytest.mark.filterwarnings("ignore:BEATsEmbedding with weights=None")
@pytest.mark.parametrize("trainable", [1, "lora"])
def test_it_is_fine_tuned(trainable):
    rng = np.random.default_rng(0)
    clips = rng.normal(scale=0.1, size=(6, 4000)).astype(np.float32)
    tuned = FineTunedEmbedding(
        BEATsEmbedding(backbone(5), weights=None),
        objective="softmax",
        trainable=trainable,
        max_epochs=1,
        device="cpu",
        random_state=0,
    )
    made = tuned.fit(clips, [0, 0, 0, 1, 1, 1]).transform(clips)
    frozen = BEATsEmbedding(backbone(5), weights=None).transform(clips)
    assert made.shape == frozen.shape
    assert np.abs(made - frozen).max() > 1e-4
