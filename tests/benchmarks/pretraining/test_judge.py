"""The judgement of checkpoints: columns of outputs, means of weights, speed."""

import numpy as np
import torch

from benchmarks.pretraining import judge
from benchmarks.pretraining.export import WEIGHTS
from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.embeddings import MobileNetEmbedding


def test_every_output_gets_its_own_columns(tmp_path):
    paths = make_machine_sounds(2, 0, duration=1.0, output_dir=tmp_path, random_state=0).paths
    made = judge.embed(paths, WEIGHTS, speed=1)
    clips = LevelNormalizer().fit_transform(AudioLoader(32_000).fit_transform(paths))
    for output, values in made.items():
        alone = MobileNetEmbedding("mini", output=output).fit_transform(clips)
        np.testing.assert_allclose(values, alone, rtol=1e-4, atol=1e-5, err_msg=output)
    faster = judge.embed(paths, WEIGHTS, speed=2)
    assert faster["clip"].shape == made["clip"].shape
    assert np.abs(faster["clip"] - made["clip"]).max() > 0.01


def test_the_mean_of_weights_keeps_whole_numbers():
    first = {"weight": torch.tensor([1.0, 3.0]).half(), "steps": torch.tensor(5)}
    second = {"weight": torch.tensor([3.0, 5.0]).half(), "steps": torch.tensor(9)}
    mean = judge.average([first, second])
    assert mean["weight"].tolist() == [2.0, 4.0]
    assert mean["steps"] == 5


def test_the_sets_that_are_judged_are_scored_by_whitened_neighbours(tmp_path, monkeypatch):
    sounds = make_machine_sounds(
        12, 4, machine="valve", severity=1.0, duration=1.0, output_dir=tmp_path, random_state=0
    )

    def tasks(home):
        yield "valve", sounds.paths, sounds.target, np.arange(8), np.arange(8, 16)

    monkeypatch.setattr(judge, "SETS", {"valves": tasks})
    rows = judge.judge(WEIGHTS, None)
    assert [row["output"] for row in rows] == [" + ".join(feature) for feature in judge.FEATURES]
    assert all(0.5 < float(row["valves"]) == float(row["mean"]) <= 1 for row in rows)
