"""Messages of the library name options instead of parameters of Python."""

import pytest

from skaudio_ad.cli import main
from skaudio_ad.cli._messages import translate


@pytest.mark.parametrize(
    ("command", "library", "shell"),
    [
        ("fit", 'or leave it out with on_error="skip".', "or leave it out with --on-error skip."),
        ("fit", "duration must lie in (0, inf), got nan.", "--duration must lie in (0, inf), got nan."),
        ("fit", "set validation_fraction=0 to hold out none", "set --held-out 0 to hold out none"),
        (
            "fit",
            "validation_fraction must lie in [0, 1), got nan.",
            "--held-out must lie in [0, 1), got nan.",
        ),
        ("fit", "raise max_epochs.", "raise --max-epochs."),
        ("fit", "random_state must be an integer", "--seed must be an integer"),
        ("fit", "level=None keeps loudness", "--level none keeps loudness"),
        ("fit", "preset must be one of 'a'", "--preset must be one of 'a'"),
        ("embed", 'leave it out with on_error="skip".', "leave it out with --on-error skip."),
        ("embed", "output='logits' needs; use output=\"clip\".", "--kind logits needs; use --kind clip."),
        ("embed", "runtime='openvino' needs onnx", "--runtime openvino needs onnx"),
        ("embed", 'Or use runtime="torch".', "Or use --runtime torch."),
        ("embed", "Use n_jobs=1.", "Use --jobs 1."),
        ("embed", "n_jobs == 0 in Parallel has no meaning", "--jobs == 0 in Parallel has no meaning"),
        ("embed", "Use one, or memory=None.", "Use one, or no --memory."),
        (
            "embed",
            "backbone must be one of 'mn01', or a Backbone, got 'x'.",
            "--backbone must be one of 'mn01', got 'x'.",
        ),
        (
            "embed",
            "weights must be \"pretrained\", a file or folder that exists, or None, got 'x'.",
            "--weights must be \"pretrained\" or a file or folder that exists, got 'x'.",
        ),
        (
            "calibrate",
            "Pass more recordings, or extrapolate=False.",
            "Pass more recordings, or no --extrapolate.",
        ),
        ("demo", "output_dir must hold no files but those", "--output must hold no files but those"),
        ("demo", "max_epochs must lie in [1, inf]", "--max-epochs must lie in [1, inf]"),
    ],
)
def test_a_message_names_the_option_instead_of_the_parameter(command, library, shell):
    assert translate(library, main.get_command(None, command)) == shell


@pytest.mark.parametrize(
    ("command", "library", "shell"),
    [
        (
            "score",
            'a.wav: is empty (0 bytes); restore it or leave it out with on_error="skip".',
            "a.wav: is empty (0 bytes); restore it.",
        ),
        (
            "score",
            'wav are; restore or convert the file, or leave it out with on_error="skip".',
            "wav are; restore or convert the file.",
        ),
        (
            "score",
            "has 2 frames, fewer than the 5 of one window; load longer clips (AudioLoader with a duration and a "
            "pad), or use shorter windows or a smaller hop_length.",
            "has 2 frames, fewer than the 5 of one window; use longer recordings.",
        ),
        (
            "fit",
            "a;b.wav: has 90 samples, fewer than one window of n_fft=1024; use a smaller n_fft, center=True, or "
            "AudioLoader with a duration and a pad.",
            "a;b.wav: has 90 samples, fewer than one window of n_fft=1024; use longer recordings, or leave this one "
            "out with --on-error skip.",
        ),
        (
            "fit",
            "the first of the fit has 3 and 4: give AudioLoader a duration and a pad.",
            "the first of the fit has 3 and 4: use recordings of one length or --duration.",
        ),
        (
            "fit",
            "training diverged: the loss of epoch 2 is nan. Lower learning_rate, or scale the features (ClipScaler, "
            "StandardScaler).",
            "training diverged: the loss of epoch 2 is nan. Try --level rms or another --preset.",
        ),
        (
            "demo",
            "training diverged: the loss of epoch 2 is nan. Lower learning_rate, or scale the features (ClipScaler, "
            "StandardScaler).",
            "training diverged: the loss of epoch 2 is nan.",
        ),
        (
            "watch",
            "Record at 8 Hz, or pass allow_lower_rate=True.",
            "Record at 8 Hz, or set allow_lower_rate = true in the file of --config.",
        ),
        (
            "fit",
            "got 1 rows to train on, from n_samples=1. Pass more clips, use a larger batch_size, or set "
            "batch_norm=False.",
            "got 1 rows to train on, from n_samples=1. Give more recordings.",
        ),
        (
            "fit",
            "tells nothing. Raise reconstruction_weight (now 1) or lower kl_weight (now 2); after a few steps of "
            "training, raise max_epochs.",
            "tells nothing. After a few steps of training, raise --max-epochs.",
        ),
    ],
)
def test_advice_that_no_option_can_follow_is_replaced_or_left_out(command, library, shell):
    assert translate(library, main.get_command(None, command)) == shell


@pytest.mark.parametrize(
    "message",
    [
        "/data/max_epochs/on_error.wav: no such file.",
        "max_epochs/a.wav: no such file.",
        "the level of the recording, its duration and the weights of the network",
        "a max_epochs.wav",
    ],
)
def test_names_of_files_and_ordinary_words_do_not_change(message):
    assert translate(message, main.get_command(None, "fit")) == message


def test_a_message_outside_a_command_does_not_change():
    assert translate('on_error="skip"') == 'on_error="skip"'


def test_the_error_of_a_recording_names_the_option_to_skip_it(run, tmp_path):
    (tmp_path / "on_error.wav").write_bytes(b"")
    result = run("fit", tmp_path / "on_error.wav", "-o", tmp_path / "d.skops")
    assert result.stderr == (
        f"Error: {tmp_path / 'on_error.wav'}: is empty (0 bytes); restore it or leave it out with --on-error skip.\n"
    )


def test_the_error_for_too_few_recordings_names_the_option_held_out(run, write_wavs, tmp_path):
    (path,) = write_wavs([16000])
    result = run("fit", path, "-o", tmp_path / "d.skops", "--preset", "autoencoder", "--max-epochs", 1)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: at least 2 clips are needed, one to train on and one to hold out, got 1. Give more, cut a long "
        "recording into several clips, or set --held-out 0 to hold out none.\n"
    )


def test_errors_in_the_table_of_scores_name_options_too(run, scores_of, tmp_path, rows_of):
    scores_of({"a.wav": 'is empty (0 bytes); restore it or leave it out with on_error="skip".'})
    result = run("score", "d.skops", "a.wav", "--csv", tmp_path / "t.csv")
    assert "Error: a.wav: is empty (0 bytes); restore it.\n" in result.stderr
    assert rows_of(tmp_path / "t.csv")[0]["error"] == "is empty (0 bytes); restore it."
