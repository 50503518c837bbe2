"""Models that `HubEmbedding` refuses: the message says why, and what takes them instead."""

import json
import re

import numpy as np
import pytest

from skaudio_ad import HubEmbedding
from skaudio_ad.embeddings import _hub_refusals as refusals

transformers = pytest.importorskip("transformers")

CLIPS = [np.zeros(16000, dtype=np.float32)]


@pytest.fixture
def folder_of(tmp_path):
    """Function that writes a folder with a configuration only."""

    def write(**config):
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return write


@pytest.mark.parametrize(
    ("model_id", "estimator"),
    [
        ("shikhar7ssu/OpenBEATs-Base-i3", "BEATsEmbedding"),
        ("espnet/OpenBEATS-Large-i2-as2m", "BEATsEmbedding"),
        ("lpepino/beats_ckpts", "BEATsEmbedding"),
        ("mispeech/ced-tiny", "CEDEmbedding"),
        ("mispeech/dasheng-0.6B", "DashengEmbedding"),
        ("worstchan/EAT-base_epoch30_pretrain", "EATEmbedding"),
        ("ta012/SSLAM_pretrain", "EATEmbedding"),
        ("yucongzh/echo-small-0824", "ECHOEmbedding"),
        ("jiangab/FISHER-tiny-0723", "FISHEREmbedding"),
    ],
)
def test_a_published_model_of_a_native_family_is_named_before_a_download(monkeypatch, model_id, estimator):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    message = rf"'{model_id}': .*never runs code.* {estimator} computes .*hf download {model_id}.*{estimator}\(weights="
    with pytest.raises(ValueError, match=message):
        HubEmbedding(model_id).fit(CLIPS)


@pytest.mark.parametrize(
    ("config", "estimator"),
    [
        ({"model_type": "eat", "auto_map": {"AutoModel": "eat_model.EATModel"}}, "EATEmbedding"),
        ({"model_type": "custom", "auto_map": {"AutoModel": "modeling_eat.EATModel"}}, "EATEmbedding"),
        ({"model_type": "ced", "architectures": ["CedForAudioClassification"]}, "CEDEmbedding"),
        ({"auto_map": {"AutoModel": ["someone/x--modeling_dasheng.DashengModel", None]}}, "DashengEmbedding"),
        ({"model_type": "echo"}, "ECHOEmbedding"),
        ({"model_type": "fisher"}, "FISHEREmbedding"),
        ({"model_type": "beats"}, "BEATsEmbedding"),
        ({"model_type": "passt", "architectures": "PaSST", "auto_map": "own.PaSST"}, "PaSSTEmbedding"),
    ],
)
def test_a_folder_with_a_network_of_a_native_family_names_the_family(folder_of, config, estimator):
    folder = folder_of(**config)
    with pytest.raises(
        ValueError, match=rf"model: HubEmbedding never runs .* {estimator} computes this network"
    ):
        HubEmbedding(folder).fit(CLIPS)


def test_the_file_of_weights_is_named_where_it_is_in_the_folder(folder_of):
    folder = folder_of(model_type="ced", auto_map={"AutoModel": "modeling_ced.CedModel"})
    with pytest.raises(ValueError, match=r"give model\.safetensors to it as weights"):
        HubEmbedding(folder).fit(CLIPS)
    (folder / "model.safetensors").touch()
    with pytest.raises(
        ValueError, match=re.escape(f"CEDEmbedding(weights={str(folder / 'model.safetensors')!r})")
    ):
        HubEmbedding(folder).fit(CLIPS)


def test_a_folder_of_a_native_family_without_a_configuration_names_the_family(tmp_path):
    folder = tmp_path / "FISHER-tiny-0723"
    folder.mkdir()
    with pytest.raises(
        ValueError, match=r"no config\.json\. FISHEREmbedding computes .* give model\.safetensors to it"
    ):
        HubEmbedding(folder).fit(CLIPS)


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "BEATs_iter3.pt"
    path.touch()
    with pytest.raises(
        ValueError, match=r"got the file .*: BEATsEmbedding\(weights='.*BEATs_iter3\.pt'\) may take"
    ):
        HubEmbedding(path).fit(CLIPS)
    path = tmp_path / "network.bin"
    path.touch()
    with pytest.raises(ValueError, match=r"got the file .*network\.bin': save_pretrained writes a folder"):
        HubEmbedding(path).fit(CLIPS)


def test_code_of_an_unknown_model_is_not_run_and_the_message_says_so(folder_of):
    folder = folder_of(model_type="cedar", auto_map={"AutoConfig": "own.Config", "AutoModel": "own.Model"})
    (folder / "own.py").write_text(f"open({str(folder / 'was_run')!r}, 'w')\n")
    message = r"has no models of type 'cedar' .*\(auto_map\), and HubEmbedding never runs .*pip install -U transformers"
    with pytest.raises(ValueError, match=message):
        HubEmbedding(folder).fit(CLIPS)
    assert not (folder / "was_run").exists()
    with pytest.raises(ValueError, match=r"no models of type 'cedar' .*the model\. A later release"):
        HubEmbedding(folder_of(model_type="cedar")).fit(CLIPS)


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("musicgen", "it makes audio"),
        ("xcodec", "its own codec"),
        ("gemma3n", "part of a language model"),
        ("clvp", "compares tokens of speech"),
    ],
)
def test_a_type_that_is_left_out_is_refused_with_the_reason(folder_of, model_type, reason):
    if model_type not in transformers.CONFIG_MAPPING:
        pytest.skip(f"transformers {transformers.__version__} has no {model_type}")
    with pytest.raises(
        ValueError, match=rf"model: HubEmbedding leaves out .*'{model_type}', because .*{reason}"
    ):
        HubEmbedding(folder_of(model_type=model_type)).fit(CLIPS)


def test_no_type_is_both_taken_and_left_out():
    assert not set(refusals._LEFT_OUT) & set(refusals.TYPES)


def test_an_encodec_of_two_channels_is_refused_with_one_that_is_taken(tmp_path):
    from safetensors.torch import save_file

    transformers.EncodecConfig(audio_channels=2, normalize=True).save_pretrained(tmp_path)
    transformers.EncodecFeatureExtractor(feature_size=2).save_pretrained(tmp_path)
    save_file({}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"this EnCodec takes two channels.*'facebook/encodec_24khz'"):
        HubEmbedding(tmp_path).fit(CLIPS)


def test_weights_of_a_model_that_is_refused_are_not_downloaded(tmp_path, monkeypatch):
    import huggingface_hub

    wanted = []

    def download(model_id, *, revision, allow_patterns, local_files_only=False):
        if not local_files_only:
            wanted.append(allow_patterns)
            (tmp_path / "config.json").write_text('{"model_type": "musicgen"}')
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(ValueError, match="leaves out models of type 'musicgen'"):
        HubEmbedding("someone/music").fit(CLIPS)
    assert wanted == [["config.json"]]
