"""Train the student on the feature maps of the teacher, on synthesised sound.

Loss: squared errors of the last feature map and of its mean, in units of the teacher's standard deviation per channel;
of the maps after four blocks, through a linear map per position, and of their means; and of the teacher's logits on the
student's features, which weigh directions as the classifier does. The kept weights are an exponential average.

Run: ``python -m benchmarks.pretraining.distill OUTPUT.pt --teacher mn04_as_mAP_432.pt [--start CHECKPOINT]
[--clips 320000]``. The command writes OUTPUT.pt with everything that a restart needs, and OUTPUT.csv with the losses.
The same command goes on after an interruption. On two CPU cores it takes about 40 clips of 2 s a second for each core.
"""

import argparse
import csv
import math
import os
import time
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from skaudio_ad.networks import AudioSetFrontEnd, MobileNet

from .recording import SoundGenerator

WIDTH = 0.4
LEVELS = (5, 11, 13, 15)  # layers of `features` whose maps are matched
WEIGHTS = {"grid": 0.5, "clip": 1.0, "level_mean": 0.5, "level_map": 0.25, "logit": 0.05}
_EMA_DECAY = 0.998
_FROZEN_STEPS = 100  # number of first steps that train only the linear maps between the levels


def maps(network, spectrograms):
    """Feature maps after the layers of `LEVELS`, and the last one."""
    x, levels = spectrograms[:, None].contiguous(memory_format=torch.channels_last), []
    for index, layer in enumerate(network.features):
        x = layer(x)
        if index in LEVELS:
            levels.append(x)
    return levels, x


def load_features(network, path):
    """Load the weights of `features` from a checkpoint of this script, or from a state dict of `features`."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    state = content.get("student", content)
    network.features.load_state_dict(state)  # torch converts float16


class Distillation:
    """Student, teacher, generator and optimiser of one training.

    Parameters
    ----------
    teacher : path-like
        Checkpoint of mn04.
    start : path-like or None
        Checkpoint whose student is the start. None starts from random weights.
    n_clips : int
        Number of clips of the whole training.
    batch_size : int
    learning_rate : float
        Largest learning rate. It rises over 100 steps and falls to zero as a cosine.
    seed : int
    device : str
    """

    def __init__(self, teacher, *, start, n_clips, batch_size, learning_rate, seed, device):
        torch.manual_seed(seed)
        self.batch_size, self.learning_rate, self.device = batch_size, learning_rate, device
        self.n_steps, self.step = math.ceil(n_clips / batch_size), 0
        self.sounds = SoundGenerator(seed=seed, device=device, pool_size=8 * batch_size, fresh=0.3)
        self.front_end = AudioSetFrontEnd().to(device)
        self.teacher = MobileNet(WIDTH)
        self.teacher.load_state_dict(torch.load(teacher, map_location="cpu", weights_only=True))
        self.teacher.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.student = MobileNet(WIDTH)
        if start is not None:
            load_features(self.student, start)
        self.student.classifier = torch.nn.Identity()
        self.student.train().to(device, memory_format=torch.channels_last)
        self._measure_teacher()
        sizes = [len(scale) for scale, _ in self.level_scales]
        self.projections = torch.nn.ModuleList([torch.nn.Conv2d(size, size, 1) for size in sizes]).to(device)
        for projection in self.projections:
            torch.nn.init.dirac_(projection.weight)
        self.average = AveragedModel(
            self.student, multi_avg_fn=get_ema_multi_avg_fn(_EMA_DECAY), use_buffers=True
        )
        parameters = [*self.student.features.parameters(), *self.projections.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=1e-4)

    @torch.no_grad()
    def _measure_teacher(self):
        """Measure the standard deviations of the teacher's channels, which are the units of the losses."""
        means, grids, levels = [], [], [[] for _ in LEVELS]
        for _ in range(4):
            level, last = maps(self.teacher, self.front_end(self.sounds.batch(self.batch_size)))
            means.append(last.mean((2, 3)))
            grids.append(last.std((0, 2, 3)))
            for kept, each in zip(levels, level):
                kept.append((each.mean((2, 3)), each.std((0, 2, 3))))
        self.clip_scale = torch.cat(means).std(0).clamp(min=0.01)
        self.grid_scale = torch.stack(grids).mean(0).clamp(min=0.02)[:, None, None]
        self.level_scales = [
            (
                torch.cat([mean for mean, _ in kept]).std(0).clamp(min=0.02),
                torch.stack([std for _, std in kept]).mean(0).clamp(min=0.02)[:, None, None],
            )
            for kept in levels
        ]

    def losses(self):
        """Losses of one new batch by name, and the share of the variance of the clip embedding that is explained."""
        with torch.no_grad():
            spectrograms = self.front_end(self.sounds.batch(self.batch_size))
            levels, last = maps(self.teacher, spectrograms)
            clip, logits = last.mean((2, 3)), self.teacher.classifier(last)
        own_levels, own_last = maps(self.student, spectrograms)
        own_clip = own_last.mean((2, 3))
        made = {
            "grid": ((own_last - last) / self.grid_scale).square().mean(),
            "clip": ((own_clip - clip) / self.clip_scale).square().mean(),
            "level_mean": 0.0,
            "level_map": 0.0,
            "logit": (self.teacher.classifier(own_last) - logits).square().mean(),
        }
        for projection, own, target, (mean_scale, map_scale) in zip(
            self.projections, own_levels, levels, self.level_scales
        ):
            error = projection(own) - target
            made["level_mean"] += (error.mean((2, 3)) / mean_scale).square().mean() / len(LEVELS)
            made["level_map"] += (error / map_scale).square().mean() / len(LEVELS)
        residual = (own_clip - clip).square().sum(0) / (clip - clip.mean(0)).square().sum(0).clamp(min=1e-9)
        return made, float(1 - residual.detach().median())

    def train_step(self):
        """Train on one batch and return its losses."""
        rate = min(1, (self.step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * self.step / self.n_steps))
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * rate
        self.student.features.requires_grad_(self.step >= _FROZEN_STEPS)
        made, explained = self.losses()
        loss = sum(WEIGHTS[name] * value for name, value in made.items())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        self.optimizer.step()
        self.average.update_parameters(self.student)
        self.step += 1
        return {name: float(value.detach()) for name, value in made.items()} | {"explained": explained}

    def state_dict(self):
        """State of the training: "student" holds the averaged weights, the rest is for a restart."""
        return {
            "student": self.average.module.features.state_dict(),
            "current": self.student.features.state_dict(),
            "n_averaged": self.average.n_averaged,
            "projections": self.projections.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "sounds": self.sounds.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state):
        """Go on from a checkpoint of the same training."""
        self.average.module.features.load_state_dict(state["student"])
        self.student.features.load_state_dict(state["current"])
        self.average.n_averaged.copy_(state["n_averaged"])
        self.projections.load_state_dict(state["projections"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.sounds.load_state_dict(state["sounds"])
        self.step = state["step"]


def save(state, path):
    """Write a checkpoint, so that an interruption leaves the old one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def run(training, output, *, log_steps=50):
    """Train to the end, and write a checkpoint and a line of the log every `log_steps` steps."""
    if output.exists():
        training.load_state_dict(torch.load(output, map_location=training.device, weights_only=True))
        print(f"{output}: goes on from step {training.step} of {training.n_steps}", flush=True)
    start, first = time.perf_counter(), training.step
    made: list[dict[str, float]] = []
    while training.step < training.n_steps:
        made.append(training.train_step())
        if training.step % log_steps == 0 or training.step == training.n_steps:
            speed = (training.step - first) * training.batch_size / (time.perf_counter() - start)
            row = {
                "step": training.step,
                "clips": training.step * training.batch_size,
                "clips_per_second": speed,
            }
            means = {name: sum(each[name] for each in made) / len(made) for name in made[0]}
            _log(output.with_suffix(".csv"), row | means)
            save(training.state_dict(), output)
            made = []


def _log(path, row):
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(row)
        writer.writerow(f"{value:.4f}" if isinstance(value, float) else value for value in row.values())
    print(
        " ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True
    )


def main(arguments=None):
    """Run the training of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--clips", type=int, default=320_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    training = Distillation(
        options.teacher,
        start=options.start,
        n_clips=options.clips,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        device=options.device,
    )
    run(training, options.output)


if __name__ == "__main__":
    main()
