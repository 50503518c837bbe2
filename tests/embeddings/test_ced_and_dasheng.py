"""What CED and Dasheng do that other families do not; `test_every_family.py` has the rest."""

import numpy as np
import pytest
import torch

from benchmarks.authors import ced as authors
from skaudio_ad import CEDEmbedding, DashengEmbedding, FineTunedEmbedding
from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.embeddings._identify import read_as
from skaudio_ad.embeddings.families._ced import plain_state_dict
from skaudio_ad.networks import CED, CEDFrontEnd, Dasheng

from .family_cases import SMALL

RATE = 16_000


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as the authors write it, of the small CED."""
    path = tmp_path_factory.mktemp("ced") / "small.pt"
    torch.save(authors.seeded_weights(SMALL["ced"].settings), path)
    return path


@pytest.fixture(scope="module")
def direct(weights):
    """Clip embedding of one waveform, by the network itself."""
    network = CED(**SMALL["ced"].settings).eval()
    network.load_state_dict(plain_state_dict(torch.load(weights)), strict=True)

    def direct(clip):
        with torch.no_grad():
            return network(CEDFrontEnd()(torch.from_numpy(clip)[None]))["clip"][0].numpy()

    return direct


def noise(seconds, scale=0.1):
    rng = np.random.default_rng(0)
    return rng.normal(scale=scale, size=round(seconds * RATE)).astype(np.float32)


def test_a_clip_of_up_to_1012_frames_is_one_window_and_the_last_window_of_a_longer_one_ends_with_it(
    weights, direct
):
    embedding = CEDEmbedding(SMALL["ced"], weights=weights).fit([noise(0.2)])
    length = round(10.12 * RATE)
    clip = noise(10.5)
    np.testing.assert_allclose(embedding.transform([clip[:length]])[0], direct(clip[:length]), atol=1e-5)
    expected = (direct(clip[:length]) + direct(clip[-length:])) / 2
    np.testing.assert_allclose(embedding.transform([clip])[0], expected, atol=1e-5)


def test_a_quiet_clip_beside_a_loud_one_has_the_embedding_that_it_has_alone(weights):
    quiet = np.zeros(8000, dtype=np.float32)
    quiet[4000:4010] = 1e-4
    embedding = CEDEmbedding(SMALL["ced"], weights=weights)
    both = embedding.fit_transform([noise(0.5, scale=0.5), quiet])
    np.testing.assert_allclose(both[1:], embedding.transform([quiet]), atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "given", "n_classes"),
    [("dasheng_base", "dasheng_base_audioset", 527), ("dasheng_base_audioset", "dasheng_base", 0)],
)
def test_a_file_of_the_other_training_stage_is_refused_with_the_variant_that_it_fits(
    wanted, given, n_classes
):
    with torch.device("meta"):
        state = Dasheng(**BACKBONES[given].settings).state_dict()
    with pytest.raises(
        ValueError,
        match=rf"is a file of Dasheng \(.*n_classes {n_classes}\), which fits '{given}', and '{wanted}' needs",
    ):
        read_as({"model": state, "config": {}}, BACKBONES[wanted])


@pytest.mark.parametrize("variant", ["dasheng_06b", "dasheng_12b"])
def test_a_network_of_more_than_two_gigabytes_runs_with_torch_only(variant):
    parameters = {"weights": None, "device": "cpu"}
    assert DashengEmbedding(variant, runtime="auto", **parameters)._engine().runtime == "torch"
    with pytest.raises(ValueError, match=r'a file of ONNX holds at most two gigabytes\. Use runtime="torch"'):
        DashengEmbedding(variant, runtime="onnxruntime", **parameters).fit([noise(0.1)])


def test_only_the_fine_tuned_dasheng_has_classes():
    with pytest.raises(
        ValueError, match=r"'dasheng_base' has no classes.* Variants that have it: dasheng_base_audioset"
    ):
        DashengEmbedding(weights=None, output="logits").fit([noise(0.1)])


def test_the_last_blocks_of_a_ced_can_be_tuned(weights):
    clips = [noise(0.3) * scale for scale in (0.1, 0.2, 0.9, 1.0)]
    embedding = CEDEmbedding(SMALL["ced"], weights=weights)
    tuned = FineTunedEmbedding(
        embedding, trainable=1, max_epochs=2, windows_per_clip=1, device="cpu", random_state=0
    )
    made = tuned.fit(clips, [0, 0, 1, 1]).transform(clips)
    assert made.shape == (4, 12)
    frozen = embedding.fit_transform(clips)
    assert np.abs(made - frozen).max() > 1e-3 * np.abs(frozen).max()


@pytest.mark.filterwarnings("ignore:CEDEmbedding with weights=None")
def test_blocks_of_a_ced_without_its_last_normalisation_can_be_tuned():
    clips = [noise(0.3) * scale for scale in (0.1, 0.2, 0.9, 1.0)]
    embedding = CEDEmbedding(SMALL["ced"], weights=None, layers=[1, 2])
    tuned = FineTunedEmbedding(
        embedding, trainable="lora", max_epochs=1, windows_per_clip=1, device="cpu", random_state=0
    )
    assert tuned.fit(clips, [0, 0, 1, 1]).transform(clips).shape == (4, 24)
