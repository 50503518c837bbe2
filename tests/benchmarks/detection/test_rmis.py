"""The protocol of RMIS against figures that the code of RMIS gives for the same random embeddings."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.preprocessing import FunctionTransformer

import skaudio_ad.datasets
from benchmarks.detection import _rmis_files, _rmis_protocol, rmis
from skaudio_ad.datasets import AudioDataset

# Figure of the leaderboard, and anomaly scores of the first four test clips of the evaluation set, which the code of
# RMIS gives for `recordings(year)`. RMIS rounds the figure, and in part the means before it, to two decimals. In 2020
# and 2021 RMIS standardises the scores of a section, which changes no figure.
RMIS = {
    2020: (70.87, [-0.580569, 1.401853, 1.447122, -1.027385]),
    2021: (31.47, [-1.224099, -0.359996, -0.760928, -0.556285]),
    2022: (60.16, [-1.657108, -0.401682, -1.174035, 0.356943]),
    2025: (48.16, [0.791118, -1.199704, -0.680656, -0.836443]),
}


def recordings(year):
    """Make one section of one machine with 8 training and 12 test clips, in each of both sets, and embeddings."""
    embeddings = np.round(np.random.RandomState(year - 2000).normal(size=(40, 3)), 2)
    rows = [
        (part, split, index, "source" if year == 2020 or index % 2 == 0 else "target")
        for part in ("dev", "eval")
        for split, n_clips in (("train", 8), ("test", 12))
        for index in range(n_clips)
    ]
    parts, splits, indices, domains = (np.array(column) for column in zip(*rows))
    # The sets of one machine have sections of their own, as in the data of the challenge.
    columns = {
        "machine": ["fan"] * 40,
        "section": np.where(parts == "dev", "00", "03"),
        "domain": domains,
        "split": splits,
        "dataset": parts,
    }
    target = np.where((splits == "test") & (indices % 4 > 1), -1, 1)
    paths = [f"{part}_data/fan/{split}/section_{index:04d}.wav" for part, split, index, _ in rows]
    return AudioDataset(paths, target, columns), embeddings


@pytest.mark.parametrize("year", RMIS)
def test_scores_and_figure_of_a_year_are_those_of_the_code_of_rmis(year):
    data, embeddings = recordings(year)
    total, anomaly_scores = RMIS[year]
    scores = _rmis_protocol.score_recordings(data, embeddings, year)
    assert np.isnan(scores[data.metadata["split"] == "train"]).all()
    of_evaluation = -scores[(data.metadata["split"] == "test") & (data.metadata["dataset"] == "eval")]
    if year < 2022:
        of_evaluation = (of_evaluation - of_evaluation.mean()) / of_evaluation.std()
    np.testing.assert_allclose(of_evaluation[:4], anomaly_scores, atol=2e-6)
    parts, ours = _rmis_protocol.evaluate(data, embeddings, year)
    assert ours == pytest.approx(total, abs=0.0101)
    assert list(parts) == ["dev", "eval"]


def test_a_set_without_labels_is_left_out_and_then_there_is_no_figure():
    data, embeddings = recordings(2022)
    data.target[data.metadata["dataset"] == "eval"] = 0
    parts, total = _rmis_protocol.evaluate(data, embeddings, 2022)
    assert list(parts) == ["dev"]
    assert total is None


def test_a_section_without_training_recordings_of_a_domain_is_named():
    data, embeddings = recordings(2022)
    kept = (data.metadata["split"] == "test") | (data.metadata["domain"] == "source")
    with pytest.raises(
        ValueError, match=r"machine 'fan', section '00' has 4 .*domains \['source'\].*both domains"
    ):
        _rmis_protocol.score_recordings(data.subset(kept), embeddings[kept], 2022)


def test_distances_without_spread_give_finite_scores():
    model = _rmis_protocol.RmisNeighbors().fit(np.eye(2), domains=["source", "target"])
    assert np.isfinite(model.score_samples(np.array([[1.0, 1.0], [2.0, 2.0]]))).all()


def segments():
    """Make three classes of four recordings of two segments, and embeddings."""
    random = np.random.RandomState(0)
    classes = np.repeat(["a", "b", "c"], 8)
    names = [f"{kind}{number}" for kind, number in zip(classes, np.repeat(np.arange(12), 2))]
    noise = random.normal(size=(24, 4))
    centres = random.normal(size=(3, 4))[np.repeat([0, 1, 2], 8)]
    return np.round(noise + centres, 2).astype(np.float32), classes, np.array(names)


def test_splits_and_accuracies_of_fault_diagnosis_are_those_of_the_code_of_rmis():
    embeddings, classes, names = segments()
    train, test = _rmis_protocol.split_recordings(names, classes, 0)
    assert train.tolist() == [2, 3, 6, 7, 12, 13, 20, 21, 22, 23, 8, 9]
    assert test.tolist() == [14, 15, 18, 19, 16, 17, 0, 1, 10, 11, 4, 5]
    accuracies = _rmis_protocol.fault_diagnosis(embeddings, classes, names)
    expected = [91.6667, 77.7778, 72.2222, 91.6667, 77.7778, 83.3333, 77.7778, 91.6667, 100.0, 83.3333]
    np.testing.assert_allclose(accuracies, expected, atol=1e-4)


def test_a_class_of_one_recording_is_named_instead_of_splitting_for_ever():
    with pytest.raises(ValueError, match="class 'b' has one recording only"):
        _rmis_protocol.split_recordings(["1", "2", "3", "3"], ["a", "a", "b", "b"], 0)


def test_the_files_hold_the_embeddings_under_the_keys_of_rmis(tmp_path):
    data, embeddings = recordings(2023)
    path = _rmis_files.write_dcase_embeddings(tmp_path, data, embeddings, 2023)
    assert path == tmp_path / "anomaly_detection" / "dcase23" / "min" / "dcase23" / "emb.pkl"
    table = pickle.loads(path.read_bytes())
    assert next(iter(table)) == "dev_data/fan/train/section_0000.wav"
    np.testing.assert_allclose(np.stack(list(table.values())), embeddings, rtol=1e-6)
    path = _rmis_files.write_fault_embeddings(tmp_path, "pu_vib", ["b.wav", "a.wav"], embeddings[:2])
    assert path == tmp_path / "fault_diagnosis" / "pu_vib" / "emb" / "pu_vib" / "all.pt"
    table = torch.load(path, weights_only=False)
    assert list(table) == ["b.wav", "a.wav"]
    with pytest.raises(ValueError, match=r"'a.wav' is there twice"):
        _rmis_files.write_fault_embeddings(tmp_path, "pu_vib", ["a.wav", "a.wav"], embeddings[:2])


def write_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")


def test_the_command_prints_years_and_sets_and_names_what_is_missing(tmp_path, monkeypatch, capsys):
    data, embeddings = recordings(2022)
    known = dict(zip(data.paths, embeddings))
    X, classes, names = segments()
    known |= {f"{index}.wav": row for index, row in enumerate(X)}

    def load(year, *, data_home, ground_truth):
        assert (data_home, ground_truth) == ("somewhere", None)
        if year != 2022:
            raise FileNotFoundError(f"no folder of {year}")
        return data

    embed = FunctionTransformer(lambda paths: np.stack([known[path][:3] for path in paths]))
    monkeypatch.setattr(skaudio_ad.datasets, "load_dcase_task2", load, raising=False)
    monkeypatch.setattr(rmis, "embedding", lambda backbone, memory: embed)
    table = [(f"{i}.wav", f"{i}.wav", name, kind) for i, (name, kind) in enumerate(zip(names, classes))]
    write_table(tmp_path / "meta" / "pu_vib" / "all.csv", [("file", "path", "ori", "scene"), *table])
    write_table(
        tmp_path / "meta" / "idmt_engine" / "train.csv",
        [("file", "path", "scene"), *(r[:2] + r[3:] for r in table[::2])],
    )
    write_table(
        tmp_path / "meta" / "idmt_engine" / "test.csv",
        [("file", "path", "scene"), *(r[:2] + r[3:] for r in table[1::2])],
    )
    rmis.main(
        ["--data", "somewhere", "--years", "2022", "2023", "--meta", str(tmp_path / "meta")]
        + ["--embeddings", str(tmp_path / "written"), "--output", str(tmp_path / "results")]
    )
    printed = capsys.readouterr().out
    assert "2023 is left out: no folder of 2023" in printed
    omegas = [result.omega for result in _rmis_protocol.evaluate(data, embeddings, 2022)[0].values()]
    row = f"| 2022 | 40 | {100 * omegas[0]:.2f} | {100 * omegas[1]:.2f} | 60.1"
    assert row in printed
    mean = _rmis_protocol.fault_diagnosis(X[:, :3], classes, names).mean()
    assert f"| pu_vib | 24 | 3 | {mean:.2f} |" in printed
    halves = np.arange(0, 24, 2), np.arange(1, 24, 2)
    assert (
        f"| idmt_engine | 24 | 3 | {100 * _rmis_protocol.macro_accuracy(X[:, :3], classes, *halves):.2f} |  |"
        in printed
    )
    assert len(list((tmp_path / "written").rglob("*.*"))) == 2
    assert (tmp_path / "results" / "rmis.md").is_file()
