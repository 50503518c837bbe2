"""A torch module of one's own: outputs, what it may give, that it stays as it is, and where it can go."""

import copy
import functools
import pickle
import threading

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AudioClips, AudioLoader, ModuleEmbedding, NearestNeighborsDetector
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.datasets import load_mimii
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.persistence import save_detector

from .small_backbones import assert_equal_up_to_rounding

RATE = 1000


class Spectrogram(torch.nn.Module):
    """Logarithm of the power in 17 bands, 20 samples from one frame to the next."""

    def __init__(self, hop_length=20):
        super().__init__()
        self.hop_length = hop_length
        self.gain, self.offset = np.ones(17, dtype=np.float32), torch.zeros(1)
        self.register_buffer("window", torch.hann_window(32), persistent=False)

    def forward(self, waveforms):
        spectrum = torch.stft(
            waveforms, 32, self.hop_length, window=self.window, pad_mode="constant", return_complex=True
        )
        power = torch.log(spectrum.abs().square() + 1e-6)[:, None] + self.offset
        return power * torch.from_numpy(self.gain)[:, None]


def make_network(seed=0):
    """A convolution with parts that differ between training and evaluation."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
        )


def make(network=None, **parameters):
    parameters = {"front_end": Spectrogram(), "sample_rate": RATE, **parameters}
    return ModuleEmbedding(make_network() if network is None else network, **parameters)


def noise(*seconds, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(scale=0.1, size=round(s * RATE)).astype(np.float32) for s in seconds]


def direct(clip, network=None):
    network = copy.deepcopy(make_network() if network is None else network).eval()
    with torch.no_grad():
        return network(Spectrogram()(torch.from_numpy(np.ascontiguousarray(clip))[None]))[0].numpy()


# Outputs


@pytest.mark.parametrize(("output", "axes"), [("clip", (1, 2)), ("frames", (1,)), ("grid", ())])
def test_an_output_is_the_modules_own_with_means_over_frequency_and_time(output, axes):
    clips = noise(1.5, 1.5, 1.5)
    embedded = make(output=output).fit(clips).transform(clips)
    assert embedded.dtype == np.float32
    assert_equal_up_to_rounding(embedded, [direct(clip).mean(axis=axes) for clip in clips])
    assert np.abs(embedded[0] - embedded[1]).max() > 1e-3


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 2, 5)], ids=["C", "CT", "CFT"])
def test_modules_may_give_channels_channels_in_time_or_patches(shape):
    made = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    module = Gives(lambda n: torch.from_numpy(made.repeat(n, axis=0)))
    expected = {
        "clip": made.reshape(1, 3, -1).mean(axis=2),
        "frames": made.mean(axis=2) if len(shape) == 3 else made,
        "grid": made,
    }
    for output in ("clip", "frames", "grid") if len(shape) > 1 else ("clip",):
        for module.names in ((), (output, "other"), ("layer4",)):
            embedded = make(module, output=output).transform(noise(1.0, 1.0))
            assert_equal_up_to_rounding(embedded, expected[output].repeat(2, axis=0))


class Gives(torch.nn.Module):
    """Gives what a function of the number of windows does, in a dict if there are names, first of them."""

    def __init__(self, function):
        super().__init__()
        self.function, self.names = function, ()

    def forward(self, x):
        made = self.function(len(x))
        return dict(zip(self.names, (made, None))) if self.names else made


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda n: None, TypeError, r"Gives: must give a float tensor .* n_windows=2, gave NoneType"),
        (lambda n: torch.ones(n, 3, dtype=torch.int64), ValueError, r"gave torch\.int64 of shape \(2, 3\)"),
        (lambda n: torch.ones(n + 1, 3), ValueError, r"gave torch\.float32 of shape \(3, 3\)"),
        (lambda n: torch.ones(n), ValueError, r"gave torch\.float32 of shape \(2,\)"),
        (lambda n: torch.ones(n, 1, 2, 3, 4), ValueError, r"of shape \(2, 1, 2, 3, 4\)"),
        (lambda n: torch.ones(n, 3, 0), ValueError, r"of shape \(2, 3, 0\)"),
        (lambda n: torch.full((n, 3), torch.nan), ValueError, "Gives: gave NaN or infinity"),
        (lambda n: torch.full((n, 3), torch.inf), ValueError, "Gives: gave NaN or infinity"),
        (
            lambda n: {"x": torch.ones(n, 3), "y": 0},
            ValueError,
            "gave a dict of 'x', 'y', without output='clip'",
        ),
        (lambda n: (torch.ones(n, 3),), TypeError, "n_windows=2, gave tuple"),
        (lambda n: 1 / 0, RuntimeError, r"Gives: failed on waveforms of shape \(2, 1000\): division by zero"),
    ],
    ids=[
        "none",
        "integers",
        "other-number",
        "1-d",
        "5-d",
        "empty",
        "nan",
        "infinity",
        "other-dict",
        "tuple",
        "fails",
    ],
)
def test_what_is_no_embedding_is_refused_with_the_name_of_the_module(function, error, message):
    with pytest.raises(error, match=message):
        make(Gives(function)).transform(noise(1.0, 1.0))


@pytest.mark.parametrize("output", ["frames", "grid"])
def test_a_module_without_time_gives_no_frames_and_says_the_way_out(output):
    module = Gives(lambda n: torch.ones(n, 3))
    with pytest.raises(
        ValueError, match=rf"output='{output}' needs a module that keeps time.* Use output=\"clip\""
    ):
        make(module, output=output).transform(noise(1.0))


def test_any_callable_is_a_front_end_and_none_gives_the_module_the_waveforms():
    clips = noise(1.0, 1.2)
    expected = make().transform(clips)
    whole = torch.nn.Sequential(Spectrogram(), make_network())
    for embedding in (
        make(front_end=functools.partial(torch.nn.Module.__call__, Spectrogram())),
        make(whole, front_end=None),
    ):
        assert_equal_up_to_rounding(embedding.transform(clips), expected)


def test_bfloat16_is_close_and_not_the_same():
    clips = noise(1.0)
    exact, rounded = (make(precision=p).transform(clips) for p in ("float32", "bfloat16"))
    assert 0 < np.abs(rounded - exact).max() < 1e-2 * np.abs(exact).max()


# Windows and time


def test_a_longer_clip_is_the_mean_over_windows_of_the_mirrored_clip():
    [clip] = noise(2.6)
    mirrored = np.concatenate([clip[500:0:-1], clip, clip[-2:-502:-1]])
    starts = range(0, len(mirrored) - 1000 + 1, 500)
    expected = np.mean([direct(mirrored[i : i + 1000]).mean(axis=(1, 2)) for i in starts], axis=0)
    assert_equal_up_to_rounding(make(window=1.0, hop=0.5).transform([clip]), [expected])


def test_shorter_clips_and_last_windows_get_silence_up_to_the_shortest_duration():
    [clip, short] = noise(2.1, 0.2)
    embedding = make(output="frames", window=1.0, min_duration=0.5)

    def frames(stretch):
        return direct(np.pad(stretch, (0, max(0, 500 - len(stretch))))).mean(axis=1)

    expected = [
        np.concatenate([frames(clip[:1000]), frames(clip[1000:2000]), frames(clip[2000:])], axis=-1),
        frames(short),
    ]
    assert_equal_up_to_rounding(embedding.transform([clip, short]), expected)


def test_a_window_that_is_too_short_for_the_module_is_refused_with_the_way_out():
    module = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.Conv1d(1, 2, 400))
    embedding = make(module, front_end=None, min_duration=0.1)
    with pytest.raises(
        RuntimeError, match=r"Sequential: failed on waveforms of shape \(1, 200\)[^$]*min_duration"
    ):
        embedding.transform(noise(0.2))
    assert embedding.set_params(min_duration=0.4).transform(noise(0.2)).shape == (1, 2)


def test_a_click_shows_in_the_frame_whose_time_is_the_nearest():
    clip = 0.01 * noise(2.7)[0]
    embedding = make(output="frames", window=1.0)
    for second in (0.105, 0.55, 1.3, 1.915, 2.42):
        clicked = clip.copy()
        clicked[round(second * RATE)] += 1.0
        quiet, loud = embedding.transform([clip, clicked])
        times = embedding.frames_to_seconds(np.arange(quiet.shape[-1]))
        heard = np.average(times, weights=np.square(loud - quiet).sum(axis=0))
        assert abs(heard - second) < 0.02  # one frame


def test_frames_are_spread_evenly_over_a_window():
    module = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.Conv1d(1, 2, 100, stride=100))
    embedding = make(module, front_end=None, output="frames", window=2.0)
    np.testing.assert_allclose(
        embedding.frames_to_seconds([0, 1, 19, 20, 0.5]), [0.05, 0.15, 1.95, 2.05, 0.1]
    )
    assert embedding.n_edge_frames == 0


# Company, names, missing clips


@pytest.mark.parametrize("output", ["clip", "frames"])
def test_a_clip_is_embedded_alike_in_any_company(output):
    clips = noise(1.0, 2.3, 0.4, 1.0, 0.004, 1.7)
    embedding = make(output=output, window=1.0, batch_size=3, min_duration=0.1).fit(clips)
    alone = [embedding.transform([clip])[0] for clip in clips]
    assert_equal_up_to_rounding(embedding.transform(clips), alone)
    assert_equal_up_to_rounding(embedding.transform(clips[::-1]), alone[::-1])
    assert_equal_up_to_rounding(list(embedding.set_params(batch_size=1).stream(clips)), alone)


def test_columns_have_names_where_the_output_is_a_vector():
    assert make().get_feature_names_out().tolist() == [f"sequential_clip{i}" for i in range(4)]
    assert make(output="frames").get_feature_names_out().tolist() == [f"x{i}" for i in range(4)]
    table = make().set_output(transform="pandas").fit(noise(1.0)).transform(noise(1.0))
    assert list(table.columns) == [f"sequential_clip{i}" for i in range(4)]


@pytest.mark.parametrize("output", ["clip", "frames"])
def test_a_clip_that_could_not_be_read_is_nan_in_its_place(write_wavs, tmp_path, output):
    paths = write_wavs([1500, 1500, 1500], sample_rate=RATE)
    expected = make(output=output).transform(paths)
    (tmp_path / "clip_1.wav").write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        embedded = make(output=output).transform(AudioLoader(RATE, on_error="skip").fit_transform(paths))
    assert np.isnan(embedded[1]).all()
    assert_equal_up_to_rounding(embedded[[0, 2]], expected[[0, 2]])


def test_clips_at_another_rate_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"works at sample_rate=1000 Hz, .* at 16000 Hz.*AudioLoader"):
        make().fit(AudioClips(noise(1.0), 16000))


# The module stays as it is


def test_the_module_is_not_changed_and_global_generators_neither():
    network, front_end = make_network().train(), Spectrogram()
    before = copy.deepcopy(network.state_dict())
    state, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    embedding = make(network, front_end=front_end).fit(noise(1.0))
    assert np.isfinite(embedding.transform(noise(1.0, 1.5))).all()
    assert embedding.module is network
    assert embedding.front_end is front_end
    assert all(part.training for part in [*network.modules(), *front_end.modules()])
    assert all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002


def change_a_weight(embedding):
    with torch.no_grad():
        embedding.module[0].weight[0, 0, 0, 0] += 0.5


def change_a_weight_behind_autograds_back(embedding):
    embedding.module[0].weight.data[0, 0, 0, 0] += 0.5


def change_a_running_mean(embedding):
    embedding.module[1].running_mean += 1


def change_a_buffer_outside_the_state_dict(embedding):
    embedding.front_end.window[0] += 0.5


def change_a_setting(embedding):
    embedding.front_end.hop_length = 10


def change_an_array(embedding):
    embedding.front_end.gain[3] = 2.0


def change_a_tensor_that_is_no_buffer(embedding):
    embedding.front_end.offset += 1.0


def change_a_layers_setting(embedding):
    embedding.module[1].eps = 0.1


def put_another_layer_in(embedding):
    embedding.module[2] = torch.nn.SiLU()


CHANGES = {
    function.__name__: function
    for function in (
        change_a_weight,
        change_a_weight_behind_autograds_back,
        change_a_running_mean,
        change_a_buffer_outside_the_state_dict,
        change_a_setting,
        change_an_array,
        change_a_tensor_that_is_no_buffer,
        change_a_layers_setting,
        put_another_layer_in,
    )
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_module_that_changed_since_fit_is_refused_and_cached_apart(change, tmp_path):
    clips = noise(1.0, 1.5)
    embedding = make(memory=tmp_path / "kept").fit(clips)
    before = embedding.transform(clips)
    CHANGES[change](embedding)
    with pytest.raises(WeightsError, match=r"Sequential: has other weights .* fit again"):
        embedding.transform(clips)
    after = embedding.fit(clips).transform(clips)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_array_equal(after, clone(embedding).set_params(memory=None).transform(clips))


def test_a_copy_is_the_same_module(tmp_path):
    clips = noise(1.0)
    embedding = make().fit(clips)
    expected = embedding.transform(clips)
    embedding.module.train(False).requires_grad_(False)  # no matter of weights
    for again in (pickle.loads(pickle.dumps(embedding)), copy.deepcopy(embedding)):
        assert again.module is not embedding.module
        np.testing.assert_array_equal(again.transform(clips), expected)
    assert clone(embedding).fit(clips).weights_digest_ == embedding.weights_digest_


def test_a_module_is_not_saved_in_a_skops_file(tmp_path):
    with pytest.raises(
        ValueError, match=r"detector\.skops: skops cannot save this Pipeline .* pickle the estimator"
    ):
        save_detector(make_pipeline(make(), StandardScaler()), tmp_path / "detector.skops")
    assert not (tmp_path / "detector.skops").exists()


# Memory and processes


def test_what_was_embedded_once_is_not_embedded_again(tmp_path, monkeypatch):
    clips = noise(1.0, 1.5)
    expected = make(memory=tmp_path / "kept").transform(clips)
    monkeypatch.setattr(Spectrogram, "forward", None)
    np.testing.assert_array_equal(make(memory=tmp_path / "kept").transform(clips), expected)


def double(waveforms):
    return 2 * waveforms


def triple(waveforms):
    return 3 * waveforms


def test_a_function_as_front_end_is_known_by_its_name_and_one_without_is_refused(tmp_path):
    clips, module = noise(1.0), torch.nn.Unflatten(1, (1, -1))
    kept = {"output": "frames", "memory": tmp_path / "kept"}
    for front_end, factor in ((double, 2), (triple, 3), (double, 2)):
        made = make(module, front_end=front_end, **kept).transform(clips)
        np.testing.assert_allclose(made[0, 0], factor * clips[0], rtol=1e-6)
    with pytest.raises(TypeError, match=r"memory must recognise the front end: .* or memory=None"):
        make(module, front_end=lambda x: x, **kept).transform(clips)


@pytest.mark.parametrize("backend", ["multiprocessing", "threading"])
def test_several_processes_embed_as_one_does(tmp_path, backend):
    clips = noise(1.0, 2.3, 0.4, 1.0, 1.0, 1.7)
    expected = make().transform(clips)
    with joblib.parallel_config(backend=backend):
        embedding = make(n_jobs=2, batch_size=2, memory=tmp_path / "kept")
        assert_equal_up_to_rounding(embedding.transform(clips), expected)


class WithLock(torch.nn.Module):
    """Can be copied, but not sent anywhere."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, x):
        return x

    def __deepcopy__(self, memo):
        return WithLock()


@pytest.mark.processes
def test_a_module_that_does_not_pickle_works_in_one_process_only(tmp_path):
    clips = noise(1.0, 1.0)
    embedding = make(WithLock(), memory=tmp_path / "kept").fit(clips)
    assert embedding.transform(clips).shape == (2, 1)
    with pytest.raises(TypeError, match=r"WithLock: cannot be sent to other processes.*lock.*Use n_jobs=1"):
        embedding.set_params(n_jobs=2).transform(clips)
    with joblib.parallel_config(backend="threading"):
        assert embedding.transform(clips).shape == (2, 1)


def test_a_module_that_cannot_be_copied_is_refused(monkeypatch):
    monkeypatch.delattr(WithLock, "__deepcopy__")
    with pytest.raises(TypeError, match=r"WithLock: cannot be copied .* scikit-learn's clone"):
        make(WithLock()).fit(noise(1.0))


@pytest.mark.processes
def test_a_module_of_a_notebook_goes_to_other_processes():
    class Local(torch.nn.Module):
        def forward(self, x):
            return self.function(x)

    module = Local()
    module.function = lambda x: x + 1
    clips = noise(1.0, 1.0)
    embedding = make(module, front_end=None, output="clip", n_jobs=2, batch_size=1)
    module.function = lambda x: x[:, :3] + 1
    np.testing.assert_allclose(embedding.transform(clips), [clip[:3] + 1 for clip in clips], rtol=1e-6)


# Parameters


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"module": None}, TypeError, r"module must be an instance of torch\.nn\.Module, got None"),
        ({"module": torch.nn.Identity}, TypeError, "must be an instance of"),
        ({"front_end": 3}, TypeError, "front_end must be a torch module, another callable or None, got 3"),
        ({"front_end": Spectrogram}, TypeError, "front_end must be a torch module, another callable or None"),
        ({"sample_rate": 0}, ValueError, r"sample_rate must lie in \[1, inf\), got 0|sample_rate must"),
        ({"sample_rate": 44.1}, TypeError, "sample_rate must be an integer"),
        ({"sample_rate": None}, TypeError, "sample_rate must be an integer, got None"),
        ({"output": "logits"}, ValueError, "output must be one of 'clip', 'frames', 'grid', got 'logits'"),
        ({"window": 0.5}, ValueError, "window must lie in"),
        ({"min_duration": 0}, ValueError, r"min_duration must lie in \(0, 10\.0\], got 0"),
        ({"min_duration": 11}, ValueError, r"min_duration must lie in \(0, 10\.0\], got 11"),
        ({"precision": "float16"}, ValueError, "precision must be one of 'float32', 'bfloat16'"),
        ({"device": "tpu"}, ValueError, "device must be"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_the_rule(parameters, error, message):
    for method in ("fit", "transform"):
        with pytest.raises(error, match=message):
            getattr(make().set_params(**parameters), method)(noise(1.0))


def test_the_sample_rate_is_never_guessed():
    with pytest.raises(TypeError, match="sample_rate"):
        ModuleEmbedding(make_network())


# Real recordings


@pytest.mark.real_data
def test_a_pipeline_of_loader_module_scaler_and_neighbours_is_searched_over(data_home):
    sliders = load_mimii("slider", data_home=data_home)
    chosen = np.r_[np.flatnonzero(sliders.target == 1)[:12], np.flatnonzero(sliders.target == -1)[:4]]
    paths, target = [sliders.paths[i] for i in chosen], sliders.target[chosen]
    pipeline = make_pipeline(
        AudioLoader(16000, channel=0, duration=2.0),
        ModuleEmbedding(make_network(), front_end=Spectrogram(400), sample_rate=16000),
        StandardScaler(),
        NearestNeighborsDetector(),
    )
    folds = PredefinedSplit(np.where(np.arange(len(paths)) < 8, -1, 0))
    search = GridSearchCV(
        pipeline,
        {"nearestneighborsdetector__n_neighbors": [1, 2], "moduleembedding__output": ["clip"]},
        scoring=lambda model, X, y: anomaly_auc_score(y, model.score_samples(X)),
        cv=folds,
        refit=False,
    ).fit(paths, target)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
