"""What an error says of a file of weights: its family, and how the file must be written."""

import zipfile

import pytest
import torch

from skaudio_ad.embeddings import BACKBONES, WeightsError, get_family, load_state_dict
from skaudio_ad.embeddings._checkpoint import describe_difference
from skaudio_ad.embeddings._identify import describe_file, identify, read_as

from .family_kit import state_of

MN01 = state_of(BACKBONES["mn01"])


def prefixed(prefix):
    return {prefix + name: value for name, value in MN01.items()}


@pytest.mark.parametrize("backbone", ["mn01", "passt_s_swa"])
@pytest.mark.parametrize(
    ("content", "place", "code"),
    [
        (
            prefixed("module."),
            "with 'module.' before every name",
            "torch.save({name.removeprefix('module.'): value for name, value in content.items()}, file)",
        ),
        (
            {"epoch": 3, "state_dict": MN01},
            "under the key 'state_dict'",
            "torch.save(content['state_dict'], file)",
        ),
        (
            {"model": prefixed("net.model.")},
            "under the key 'model' and with 'net.model.' before every name",
            "torch.save({name.removeprefix('net.model.'): value for name, value in content['model'].items()}, file)",
        ),
    ],
    ids=["prefix", "nested", "both"],
)
def test_a_known_file_in_a_wrapping_is_described_with_the_code_that_takes_it_off(
    backbone, content, place, code
):
    with pytest.raises(ValueError) as error:
        read_as(content, BACKBONES[backbone])
    assert str(error.value) == (
        f"holds, {place}, a file of MobileNet (width 0.1), which fits 'mn01'. Write the state dict alone, with the "
        f"names of its authors: {code}."
    )
    # The code does what it says.
    made = eval(code.removeprefix("torch.save(").removesuffix(", file)"), {"content": content})
    assert made.keys() == MN01.keys()
    assert read_as(made, BACKBONES["mn01"]).keys() == MN01.keys()


def test_an_unknown_file_is_described_by_the_first_names_that_differ(tmp_path):
    layers = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(3)))
    torch.save(layers.state_dict(), tmp_path / "mine.pt")
    state = load_state_dict("mn01", path=tmp_path / "mine.pt")
    message = describe_difference(state, MN01)
    assert message.startswith(
        "The file lacks 'features.0.0.weight', 'features.0.1.weight', 'features.0.1.bias' and "
    )
    assert message.endswith(" more. The network has no '0.weight', '0.bias', '1.weight' and 3 more.")
    assert len(message) < 300
    wide = MN01 | {"features.0.0.weight": torch.zeros(3, 2)}
    assert (
        describe_difference(wide, MN01)
        == "The file has 'features.0.0.weight' of shape (3, 2) and not (8, 1, 3, 3)."
    )
    assert describe_difference(MN01, MN01) == ""


def test_a_file_of_an_unknown_kind_says_its_keys(tmp_path):
    torch.save({"cfg": {"depth": 3}, "model": {"weight": torch.zeros(2)}}, tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match=r"mine\.pt: must hold a state dict.* the keys 'cfg', 'model'\."):
        load_state_dict("mn01", path=tmp_path / "mine.pt")


def test_a_file_is_described_by_its_settings_and_the_backbones_that_take_it():
    family, found = identify(state_of(BACKBONES["passt_l_kd"]))
    assert describe_file(family, found) == "a file of PaSST (stride 10, depth 7), which fits 'passt_l_kd'"
    assert describe_file(family, {"stride": 10, "depth": 5}) == "a file of PaSST (stride 10, depth 5)"
    # The width of a MobileNet of an unpublished size does not show.
    assert describe_file(get_family("mobilenet"), {}) == "a file of MobileNet"


def test_a_reader_that_stumbles_over_a_file_becomes_an_error_that_names_the_family(monkeypatch):
    family, _ = identify(MN01)

    def stumble(content, variant):
        return content["nothing"]

    monkeypatch.setitem(vars(family), "read_checkpoint", stumble)
    with pytest.raises(ValueError, match=r"is no file of MobileNet, or is damaged \(KeyError: 'nothing'\)\."):
        read_as(MN01, BACKBONES["mn01"])


# Damaged files of two tensors. test_every_family_files.py has files of other kinds.


@pytest.fixture(params=["pt", "safetensors"])
def small_file(request, tmp_path):
    state = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}
    path = tmp_path / f"small.{request.param}"
    if request.param == "pt":
        torch.save(state, path)
    else:
        pytest.importorskip("safetensors.torch").save_file(state, path)
    return path


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_flipped_bit_raises_no_other_error_than_one_that_names_the_file(small_file):
    content = small_file.read_bytes()
    refused = 0
    for index in range(0, len(content), 17):
        damaged = bytearray(content)
        damaged[index] ^= 1 << index % 8
        small_file.write_bytes(damaged)
        try:
            state = load_state_dict("mn01", path=small_file)
        except WeightsError as error:
            refused += str(error).startswith(f"{small_file}: ")
        else:  # a flip among the numbers, or in a name
            assert describe_difference(state, MN01)
            refused += 1
    assert refused == len(range(0, len(content), 17))


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    """torch would unpack a file of 200 kB to gigabytes."""
    torch.save({"weight": torch.zeros(100_000)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for member in plain.infolist():
            bomb.writestr(member.filename, plain.read(member.filename))
    assert (tmp_path / "bomb.pt").stat().st_size < 5000
    assert torch.load(tmp_path / "bomb.pt", weights_only=True)["weight"].shape == (100_000,)
    with pytest.raises(
        WeightsError, match=r"bomb\.pt: .* The file is a compressed archive.*Write a state dict"
    ):
        load_state_dict("mn01", path=tmp_path / "bomb.pt")
