"""Sets and tasks of the benchmark of detection: normal clips to train, and normal and anomalous clips to test.

==============  =======  ==============================================================================================
set             tasks    split
==============  =======  ==============================================================================================
MIMII           4        one type of machine, -6 dB: the first 6 normal clips of every machine train (24), and the test
                         is the other normal clips and all anomalous clips
MIMII merged    1        the same clips. One detector trains on the clips of all types. Its scores are judged type by
                         type
HLS-CMDS        2 x 3    heart or lung sounds without copies: 60 % of the normal recordings train, 3 random splits
ESC-10          10       one class: folds 1 to 4 train, fold 5 of the class is tested against all clips of other classes
PhysioNet       2        heart sounds of database a or b of the challenge of 2016: the split of ``manifest.csv``, or
                         60 % of the normal recordings train
DCASE 2022 ...  5 or 7   one type of machine of the development set of Task 2 of the years 2022 to 2025: the official
DCASE 2025               split. Scores are judged section by section, with an AUC of every domain
==============  =======  ==============================================================================================

No split uses a label of a test clip, except that all anomalous clips are tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skaudio_ad.datasets import load_dcase_task2, load_esc10, load_hls_cmds, load_mimii, load_physionet2016

from . import machines

# End of the name of a set whose clips are those of another set, with one detector for all machines.
MERGED = " merged"
# Number of random splits of HLS-CMDS.
N_SPLITS = 3


@dataclass(frozen=True)
class Task:
    """One training set and one test set.

    Parameters
    ----------
    set : str
        Name of the set.
    name : str
        Name of the task. Tasks whose names differ only in what follows ", split " are splits of the same clips.
    paths : sequence of str of length n_clips
    y : ndarray of shape (n_clips,)
        1 is normal, -1 is anomalous.
    train, test : ndarray of int
        Positions of clips.
    groups : ndarray of shape (n_clips,) or None, default=None
        Name of what belongs together, such as the recording of a clip. The names hold for the whole set. With None
        every path is a group.
    domains : ndarray of shape (n_clips,) or None, default=None
        "source" or "target".
    machines : ndarray of shape (n_clips,) or None, default=None
        Machine of every clip, if the scores are to be judged machine by machine.
    """

    set: str
    name: str
    paths: Sequence[str]
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None
    domains: np.ndarray | None = None
    machines: np.ndarray | None = None


def mimii(home):
    """Yield a task of every type of machine."""
    for name in machines.MACHINES:
        data = load_mimii(name, data_home=home)
        train, test = machines.split(data.target, data.metadata["machine_id"])
        yield Task("MIMII", name, data.paths, data.target, train, test, _named(name, data.groups))


def mimii_merged(home):
    """Yield the task of one detector for all types of machines."""
    parts = list(mimii(home))
    starts = np.cumsum([0, *(len(part.paths) for part in parts)])
    joined = {
        key: np.concatenate([getattr(part, key) + start for part, start in zip(parts, starts)])
        for key in ("train", "test")
    }
    yield Task(
        f"MIMII{MERGED}",
        "all machines",
        [path for part in parts for path in part.paths],
        np.concatenate([part.y for part in parts]),
        **joined,
        groups=np.concatenate([part.groups for part in parts]),
        machines=np.repeat([part.name for part in parts], [len(part.paths) for part in parts]),
    )


def hls_cmds(home):
    """Yield tasks of heart and lung sounds, without copies."""
    for sound in ("heart", "lung"):
        data = load_hls_cmds(sound=sound, data_home=home)
        distinct = np.sort(np.unique(data.groups, return_index=True)[1])
        paths, y = [data.paths[i] for i in distinct], data.target[distinct]
        for seed in range(N_SPLITS):
            train, test = _train_on_most_normal_clips(y, seed)
            yield Task("HLS-CMDS", f"{sound}, split {seed}", paths, y, train, test)


def esc10(home):
    """Yield a task of every class against the others. Clips from one recording of Freesound are a group."""
    for name in np.unique(load_esc10("dog bark", data_home=home).metadata["category"]):
        data = load_esc10(name.lower(), data_home=home)
        y, fold = data.target, data.metadata["fold"]
        train, test = np.flatnonzero((y == 1) & (fold != 5)), np.flatnonzero((y == -1) | (fold == 5))
        yield Task("ESC-10", str(name), data.paths, y, train, test, data.metadata["clip"])


def physionet(home):
    """Yield a task of each of both databases. The data name no patients, so every recording is a group."""
    for database in ("a", "b"):
        data = load_physionet2016(database, data_home=home)
        train, test = (np.flatnonzero(data.metadata["split"] == part) for part in ("train", "test"))
        if not len(train):  # the publisher's folders have no split
            train, test = _train_on_most_normal_clips(data.target, seed=0)
        yield Task("PhysioNet", f"database {database}", data.paths, data.target, train, test)


def dcase(year):
    """Return a function that yields a task of every machine of the development set of DCASE Task 2 of a year."""

    def tasks(home):
        data = load_dcase_task2(year, data_home=home)
        return dcase_tasks(f"DCASE {year}", data.subset(data.metadata["dataset"] == "dev"))

    return tasks


def dcase_tasks(name, data):
    """Yield a task of every machine. Recordings without a label and supplemental recordings are left out.

    Parameters
    ----------
    name : str
        Name of the set.
    data : AudioDataset
    """
    for machine in np.unique(data.metadata["machine"]):
        own = data.subset((data.metadata["machine"] == machine) & (data.target != 0))
        split = own.metadata["split"]
        train, test = np.flatnonzero((split == "train") & (own.target == 1)), np.flatnonzero(split == "test")
        if len(test):
            yield Task(
                name,
                str(machine),
                own.paths,
                own.target,
                train,
                test,
                domains=own.metadata["domain"],
                machines=own.metadata["section"],
            )


def _train_on_most_normal_clips(y, seed):
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 1))
    train = normal[: round(0.6 * len(normal))]
    return train, np.setdiff1d(np.arange(len(y)), train)


def _named(prefix, groups):
    return np.array([f"{prefix} {group}" for group in groups])


#: Functions from the folder of the data sets to tasks, by the name of the set.
SETS = {
    "MIMII": mimii,
    f"MIMII{MERGED}": mimii_merged,
    "HLS-CMDS": hls_cmds,
    "ESC-10": esc10,
    "PhysioNet": physionet,
    **{f"DCASE {year}": dcase(year) for year in range(2022, 2026)},
}


def load_tasks(names, home):
    """Return the tasks of sets, and the reasons why sets are left out.

    Parameters
    ----------
    names : list of str
        Keys of `SETS`.
    home : path-like or None

    Returns
    -------
    tasks : list of Task
    left_out : dict of {str: str}
        Reason by set.
    """
    tasks, left_out = [], {}
    for name in names:
        try:
            tasks += list(SETS[name](home))
        except (FileNotFoundError, ImportError) as error:
            left_out[name] = str(error)
    return tasks, left_out
