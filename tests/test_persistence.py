"""Every estimator is saved and loaded with pickle and skops, and gives the same output bit for bit."""

import copy
import os
import pickle
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
import sklearn
import skops.io
import torch
from sklearn.base import is_classifier
from sklearn.callback import ProgressBar
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

import skaudio_ad
from skaudio_ad.persistence import load_detector, read_metadata, save_detector, trusted_types
from skaudio_ad.presets import make_preset
from skaudio_ad.training import Prechelt

pytestmark = pytest.mark.filterwarnings("ignore:.* with weights=None has random weights:UserWarning")

WAVES = np.random.default_rng(0).uniform(-0.5, 0.5, size=(6, 4000)).astype(np.float32)
SPECTROGRAMS = np.random.default_rng(1).normal(size=(6, 5, 20)).astype(np.float32)
FEATURES = np.random.default_rng(2).normal(size=(30, 7)).astype(np.float32)
GRIDS = np.random.default_rng(4).normal(size=(6, 5, 3, 7)).astype(np.float32)
SCORES = -np.random.default_rng(3).gamma(2.0, size=60)


def detector(**settings):
    return skaudio_ad.AutoencoderDetector(
        **{"hidden_sizes": (6, 4), "bottleneck_size": 2, "max_epochs": 2, "random_state": 0, **settings}
    )


CASES = [
    (skaudio_ad.AudioLoader(16000, duration=0.1, pad="zeros"), WAVES),
    (skaudio_ad.LevelNormalizer("peak", -3.0), WAVES),
    (skaudio_ad.Augmenter(("time_roll", "noise"), random_state=0), WAVES),
    (skaudio_ad.FrameTransformer(128, 64), WAVES),
    (skaudio_ad.MelTransformer(n_fft=256, n_mels=8), WAVES),
    (skaudio_ad.MFCCTransformer(n_fft=256, n_mels=8, n_mfcc=4), WAVES),
    (skaudio_ad.SoundQualities(full_scale_level=100), WAVES),
    (skaudio_ad.BackboneEmbedding("mn01", weights=None, output="multilevel"), WAVES),
    (skaudio_ad.MobileNetEmbedding("mn01", weights=None, random_state=0), WAVES),
    (skaudio_ad.ECHOEmbedding("echo_tiny", weights=None, sample_rate=8000), WAVES),
    (
        skaudio_ad.FISHEREmbedding(
            "fisher_tiny", weights=None, layers=[1, 2], sample_rate=16_000, random_state=0
        ),
        WAVES,
    ),
    (skaudio_ad.PaSSTEmbedding("passt_l_kd", weights=None, output="frames", random_state=0), WAVES),
    (skaudio_ad.BEATsEmbedding("beats_iter3", weights=None, layers=1, random_state=0), WAVES),
    (skaudio_ad.EATEmbedding("eat_base", weights=None, layers=1, random_state=0), WAVES),
    (skaudio_ad.CEDEmbedding("ced_tiny", weights=None, layers=[1, 2], random_state=0), WAVES),
    (skaudio_ad.DashengEmbedding(weights=None, layers=1, output="frames", random_state=0), WAVES),
    (
        skaudio_ad.FineTunedEmbedding(
            skaudio_ad.MobileNetEmbedding("mn01", weights=None),
            objective="self",
            trainable="lora",
            augmenter=skaudio_ad.Augmenter(random_state=0),
            max_epochs=1,
            windows_per_clip=1,
            random_state=0,
        ),
        WAVES,
    ),
    (skaudio_ad.PatchTransformer(8, 4), SPECTROGRAMS),
    (skaudio_ad.ClipScaler("zscore", statistics="bin"), SPECTROGRAMS),
    (skaudio_ad.ShrinkageWhitener(), FEATURES),
    (skaudio_ad.ChannelResidual(0.3), SPECTROGRAMS[:, :4]),
    (skaudio_ad.TemporalPooling(("mean", "percentile_90", "flatten")), SPECTROGRAMS),
    (detector(), SPECTROGRAMS),
    (detector(activation="selu", batch_norm=False, validation_fraction=0), FEATURES),
    (detector(random_state=np.random.RandomState(0), contamination=0.2), FEATURES),
    (detector(early_stopping=Prechelt(progress=50)), FEATURES),
    (detector(error="mahalanobis"), SPECTROGRAMS),
    (detector(error="mahalanobis-clip"), SPECTROGRAMS),
    (
        skaudio_ad.VAEDetector(filters=(4, 2), strides=2, latent_size=3, max_epochs=2, random_state=0),
        SPECTROGRAMS,
    ),
    (skaudio_ad.VAEDetector(score_by="mahalanobis", latent_size=3, max_epochs=2, random_state=0), FEATURES),
    (skaudio_ad.SequencePredictorDetector(hidden_size=4, max_epochs=1, random_state=0), SPECTROGRAMS),
    (skaudio_ad.SequenceAutoencoderDetector(window_length=4, hidden_size=4, max_epochs=1), FEATURES),
    (skaudio_ad.MahalanobisDetector(), FEATURES),
    (skaudio_ad.NearestNeighborsDetector(2, contamination=0.2), FEATURES),
    (skaudio_ad.NearestNeighborsDetector(normalization="cluster-exit", random_state=0), FEATURES),
    (skaudio_ad.NearestNeighborsDetector(coreset_size=9), FEATURES),
    (skaudio_ad.NearestNeighborsDetector(metric="cosine", time_pooling="quantile"), SPECTROGRAMS),
    (skaudio_ad.BandMemoryDetector(time_pooling="gem"), GRIDS),
    (skaudio_ad.BandMemoryDetector(metric="euclidean", normalization="difference"), GRIDS),
    (skaudio_ad.ScoreEnsemble([("n", skaudio_ad.MahalanobisDetector()), ("d", detector())], cv=2), FEATURES),
    (skaudio_ad.RLKLClassifier(hidden_sizes=(4,), max_epochs=2, random_state=0), FEATURES),
    (skaudio_ad.SequenceClassifier("gru", hidden_size=4, max_epochs=1, random_state=0), SPECTROGRAMS),
    (skaudio_ad.ConformalThreshold(0.2), SCORES),
    (skaudio_ad.FBetaThreshold(2), SCORES),
    (skaudio_ad.GammaThreshold(0.2), SCORES),
    (skaudio_ad.MeanStdThreshold(2), SCORES),
    (skaudio_ad.ParetoTailThreshold(0.1, tail_fraction=0.5), SCORES),
    (skaudio_ad.QuantileThreshold(0.2), SCORES),
    (skaudio_ad.ROCThreshold("tpr"), SCORES),
    (skaudio_ad.ThresholdedDetector(GaussianMixture(random_state=0), skaudio_ad.ROCThreshold()), FEATURES),
    (skaudio_ad.ThresholdedDetector(detector(), skaudio_ad.MeanStdThreshold(), cv=0.5), FEATURES),
    (skaudio_ad.NormalOnly(make_pipeline(StandardScaler(), detector())), FEATURES),
    (skaudio_ad.make_detector(output="clip", random_state=0), WAVES),
    (make_preset("dcase_baseline", max_epochs=1, random_state=0), WAVES),
    (make_preset("dcase_baseline", level="rms", lazy=True, max_epochs=1, random_state=0), WAVES),
    (make_preset("heart_lung", duration=0.2, max_epochs=1, random_state=0), WAVES),
]
IDS = [f"{i}-{type(estimator).__name__}" for i, (estimator, _) in enumerate(CASES)]


def fit(estimator, X):
    labels = np.where(np.arange(len(X)) % 2, -1, 1)
    return estimator.fit(X, labels if needs_labels(estimator) else None)


def needs_labels(estimator):
    selector = getattr(estimator, "selector", estimator)
    return is_classifier(estimator) or get_tags(selector).target_tags.required


def output(estimator, X):
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(X)
    if hasattr(estimator, "score_samples"):
        return np.stack([estimator.score_samples(X), estimator.decision_function(X)])
    if hasattr(estimator, "predict"):  # threshold selectors
        return np.append(estimator.predict(X), estimator.threshold_)
    return np.stack(list(estimator.transform(X)))


def without_addresses(estimator):
    return re.sub(r"0x\w+", "", repr(estimator))


def through_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


def through_skops(estimator, folder):
    return skops.io.loads(skops.io.dumps(estimator), trusted=trusted_types())


def through_a_file(estimator, folder):
    path = folder / "detector.skops"
    save_detector(estimator, path)
    return load_detector(path)


# Estimators with tests of their own: FleetDetector takes machines, HubEmbedding needs a folder with a model, and
# ModuleEmbedding cannot be saved.
ELSEWHERE = {"FleetDetector", "HubEmbedding", "ModuleEmbedding"}


def test_every_estimator_of_the_package_has_a_case():
    estimators = {name for name in skaudio_ad.__all__ if hasattr(getattr(skaudio_ad, name), "get_params")}
    assert {type(estimator).__name__ for estimator, _ in CASES} - {"Pipeline"} == estimators - ELSEWHERE


@pytest.mark.parametrize(
    "way", [through_pickle, through_skops, through_a_file, lambda e, _: copy.deepcopy(e)]
)
@pytest.mark.parametrize(("estimator", "X"), CASES, ids=IDS)
def test_a_loaded_estimator_has_the_same_output_bit_for_bit(estimator, X, way, tmp_path):
    fit(estimator, X)
    expected = output(estimator, X)
    again = way(estimator, tmp_path)
    assert again is not estimator
    np.testing.assert_array_equal(output(again, X), expected)
    assert without_addresses(again) == without_addresses(estimator)


@pytest.mark.parametrize(("estimator", "X"), CASES, ids=IDS)
def test_a_file_needs_trust_in_types_of_this_package_only(estimator, X):
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(fit(estimator, X)))
    assert all(name.startswith("skaudio_ad.") for name in untrusted)
    assert set(untrusted) <= set(trusted_types())


def test_only_estimators_and_their_stopping_criteria_are_trusted_types():
    assert {name.rsplit(".", 1)[1] for name in trusted_types()} == {
        "AudioLoader",
        "Augmenter",
        "AutoencoderDetector",
        "BEATsEmbedding",
        "BackboneEmbedding",
        "BandMemoryDetector",
        "CEDEmbedding",
        "ChannelResidual",
        "ClipScaler",
        "ConformalThreshold",
        "DashengEmbedding",
        "DetectorPipeline",
        "EATEmbedding",
        "ECHOEmbedding",
        "FBetaThreshold",
        "FISHEREmbedding",
        "FineTunedEmbedding",
        "FleetDetector",
        "FrameTransformer",
        "GammaThreshold",
        "HubEmbedding",
        "LevelNormalizer",
        "MFCCTransformer",
        "MahalanobisDetector",
        "MeanStdThreshold",
        "MelTransformer",
        "MobileNetEmbedding",
        "ModuleEmbedding",
        "NearestNeighborsDetector",
        "NormalOnly",
        "PaSSTEmbedding",
        "ParetoTailThreshold",
        "PatchTransformer",
        "Patience",
        "Prechelt",
        "QuantileThreshold",
        "RLKLClassifier",
        "ROCThreshold",
        "ScoreEnsemble",
        "SequenceAutoencoderDetector",
        "SequenceClassifier",
        "SequencePredictorDetector",
        "ShrinkageWhitener",
        "SoundQualities",
        "TemporalPooling",
        "ThresholdedDetector",
        "VAEDetector",
    }


@pytest.mark.parametrize("way", [through_pickle, through_a_file])
def test_fitted_attributes_are_saved_too(way, tmp_path):
    fitted = detector().fit(FEATURES)
    again = way(fitted, tmp_path)
    for name in ("offset_", "n_iter_", "best_epoch_", "stopped_by_", "loss_curve_", "validation_loss_curve_"):
        assert getattr(again, name) == getattr(fitted, name)
    np.testing.assert_array_equal(again.held_out_scores_, fitted.held_out_scores_)
    np.testing.assert_array_equal(again.predict(FEATURES), fitted.predict(FEATURES))
    assert not again.module_.training
    assert {type(m).__name__ for m in again.module_.modules()} == {
        type(m).__name__ for m in fitted.module_.modules()
    }


def test_an_unfitted_pipeline_can_be_saved_too(tmp_path):
    again = through_a_file(make_preset("dcase_baseline", max_epochs=1, random_state=0), tmp_path)
    assert again[-1].max_epochs == 1
    assert not hasattr(again[-1], "module_")
    assert np.isfinite(again.fit(WAVES).score_samples(WAVES)).all()


@pytest.mark.parametrize("way", [through_pickle, through_a_file, lambda e, _: copy.deepcopy(e)])
def test_loading_does_not_change_the_global_generator_of_torch(way, tmp_path):
    fitted = detector().fit(FEATURES)
    before = torch.get_rng_state()
    way(fitted, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_copy_has_its_own_weights():
    fitted = detector().fit(FEATURES)
    scores = fitted.score_samples(FEATURES)
    again = copy.deepcopy(fitted)
    with torch.no_grad():
        for parameter in again.module_.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(fitted.score_samples(FEATURES), scores)


class FitCounter:
    n_fits = 0

    def setup(self, estimator, context):
        self.n_fits += 1

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


@pytest.mark.parametrize("place", ["pipeline", "detector", "detector in a pipeline"])
def test_callbacks_are_not_saved_and_stay_in_the_estimator(place, tmp_path):
    model = detector() if place == "detector" else make_pipeline(StandardScaler(), detector())
    holder = model[-1] if place == "detector in a pipeline" else model
    counter = FitCounter()
    holder.set_callbacks(*([counter] if place == "detector in a pipeline" else [ProgressBar(0), counter]))
    model.fit(FEATURES)
    again = through_a_file(model, tmp_path)
    np.testing.assert_array_equal(again.score_samples(FEATURES), model.score_samples(FEATURES))
    assert skops.io.get_untrusted_types(file=tmp_path / "detector.skops") == [
        "skaudio_ad.detectors._autoencoder.AutoencoderDetector"
    ]
    again.fit(FEATURES)
    assert counter.n_fits == 1
    model.fit(FEATURES)
    assert counter.n_fits == 2


def double(X):
    return 2 * X


def test_an_error_names_the_foreign_function_in_a_file(tmp_path):
    foreign = make_pipeline(FunctionTransformer(double), detector()).fit(FEATURES)
    save_detector(foreign, tmp_path / "foreign.skops")
    with pytest.raises(
        ValueError, match=rf"foreign\.skops: holds types .*: {__name__}\.double\. If you trust"
    ):
        load_detector(tmp_path / "foreign.skops")
    trusted = [*trusted_types(), f"{__name__}.double"]
    again = skops.io.load(tmp_path / "foreign.skops", trusted=trusted)
    np.testing.assert_array_equal(again.score_samples(FEATURES), foreign.score_samples(FEATURES))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_archive_raises_an_error(content, tmp_path):
    path = tmp_path / "other.skops"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.skops: no detector saved by skaudio_ad or skops"):
        load_detector(path)


def test_an_archive_without_a_schema_raises_an_error(tmp_path):
    path = tmp_path / "report.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("report.txt", "nothing to load")
    with pytest.raises(ValueError, match=r"report\.skops: no detector saved by skaudio_ad or skops"):
        load_detector(path)


def test_an_error_says_that_a_file_is_from_another_version(tmp_path):
    path = tmp_path / "old.skops"
    fitted = detector().fit(FEATURES)
    del fitted._architecture
    skops.io.dump(fitted, path)
    with pytest.raises(
        ValueError,
        match=r"old\.skops: this version of skaudio_ad cannot rebuild a detector that another version saved",
    ):
        load_detector(path)


def test_an_error_names_the_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.skops: no such file"):
        load_detector(tmp_path / "missing.skops")


def test_another_ending_raises_an_error_before_the_write(tmp_path):
    with pytest.raises(
        ValueError, match=r"detector\.pkl: a detector is saved in a file that ends in \.skops"
    ):
        save_detector(detector(), tmp_path / "detector.pkl")
    assert os.listdir(tmp_path) == []


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "detector.skops"
    old = detector(random_state=1).fit(FEATURES)
    save_detector(old, path)
    dump = skops.io.dump

    def cut_short(estimator, file):
        dump(estimator, file)
        with open(file, "r+b") as half:
            half.truncate(1000)
        raise KeyboardInterrupt

    monkeypatch.setattr(skops.io, "dump", cut_short)
    with pytest.raises(KeyboardInterrupt):
        save_detector(detector(random_state=2).fit(FEATURES), path)
    np.testing.assert_array_equal(load_detector(path).score_samples(FEATURES), old.score_samples(FEATURES))
    monkeypatch.undo()
    new = detector(random_state=2).fit(FEATURES)
    save_detector(new, path)
    np.testing.assert_array_equal(load_detector(path).score_samples(FEATURES), new.score_samples(FEATURES))
    assert os.listdir(tmp_path) == ["detector.skops"]


def test_modules_of_the_package_are_attributes_of_the_root():
    code = "import skaudio_ad; skaudio_ad.persistence.save_detector; skaudio_ad.presets.make_preset"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_file_holds_its_date_the_versions_and_the_given_metadata(tmp_path):
    path = tmp_path / "detector.skops"
    before = datetime.now(UTC).replace(microsecond=0)
    save_detector(detector().fit(FEATURES), path, metadata={"training": {"n_clips": 30, "groups": None}})
    found = read_metadata(path)
    assert before <= datetime.fromisoformat(found["date"]) <= datetime.now(UTC)
    assert found["versions"]["scikit-learn"] == sklearn.__version__
    assert found["training"] == {"n_clips": 30, "groups": None}
    assert np.isfinite(load_detector(path).score_samples(FEATURES)).all()


def test_a_file_of_skops_has_no_metadata(tmp_path):
    skops.io.dump(detector().fit(FEATURES), tmp_path / "plain.skops")
    assert read_metadata(tmp_path / "plain.skops") == {}


def test_metadata_that_cannot_be_read_is_an_error_with_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_metadata(tmp_path / "none.skops")
    (tmp_path / "text.skops").write_text("no archive")
    with pytest.raises(ValueError, match=r"text\.skops: the file is no skops file"):
        read_metadata(tmp_path / "text.skops")
    with zipfile.ZipFile(tmp_path / "damaged.skops", "w") as archive:
        archive.writestr("skaudio_ad.json", "{")
    with pytest.raises(ValueError, match=r"damaged\.skops: .* metadata is damaged"):
        read_metadata(tmp_path / "damaged.skops")


def test_metadata_that_json_cannot_hold_is_an_error_before_the_write(tmp_path):
    with pytest.raises(TypeError):
        save_detector(detector(), tmp_path / "detector.skops", metadata={"a": object()})
    assert os.listdir(tmp_path) == []
