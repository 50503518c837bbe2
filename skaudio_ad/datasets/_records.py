"""Where each data set is published: records of Zenodo, repositories, and the names of the archives."""

import re

from ._dcase_years import YEARS
from ._publishers import Archive, GitHubCommit, PhysioNetProject, ZenodoRecord

#: Parts of DCASE Task 2, in the order of the records of a year.
PARTS = ("dev", "eval_train", "eval_test")
# Names of the archives of DCASE Task 2 by part. The names are those of the scripts that download the archives.
_NAMES = {
    2020: ("dev_data_{}.zip", "eval_data_train_{}.zip", "eval_data_test_{}.zip"),
    2021: ("dev_data_{}.zip", "eval_data_{}_train.zip", "eval_data_{}_test.zip"),
}
_NAMES_SINCE_2022 = ("dev_{}.zip", "eval_data_{}_train.zip", "eval_data_{}_test.zip")
# Archives that the publisher replaced before the challenge.
_REVISED = {
    (2024, "eval_train", "3DPrinter"): "eval_data_3DPrinter_train_r2.zip",
    (2024, "eval_train", "RoboticArm"): "eval_data_RoboticArm_train_r2.zip",
    (2026, "dev", "ToyCar"): "dev_ToyCar_r2.zip",
}

MIMII = ZenodoRecord(3384388)
MIMII_DUE = ZenodoRecord(4740355)
MIMII_DG = ZenodoRecord(6529888)
TOYADMOS2 = ZenodoRecord(4580270)
ESC50 = GitHubCommit("karolpiczak/ESC-50", "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6", 645_832_161)
PHYSIONET2016 = PhysioNetProject("challenge-2016", "1.0.0")
SPRSOUND = GitHubCommit("SJTU-YONGFU-RESEARCH-GRP/SPRSound", "bca1e51422a42a042441010081519610ef3845d0")


def dcase_machines(year, part):
    """Return the machines of a part of DCASE Task 2."""
    return YEARS[year].dev if part == "dev" else YEARS[year].eval


def dcase_record(year, part):
    """Return the record of a part of DCASE Task 2."""
    return ZenodoRecord(YEARS[year].records[PARTS.index(part)])


def dcase_archive(year, part, machine):
    """Return the archive of a machine in a part of DCASE Task 2."""
    names = _NAMES.get(year, _NAMES_SINCE_2022)
    name = _REVISED.get((year, part, machine), names[PARTS.index(part)].format(machine))
    return Archive(name, into="dev_data" if part == "dev" else "eval_data", root=re.escape(machine))
