"""Where each data set is published: records of Zenodo, repositories, and the names of the archives."""

import re
from dataclasses import dataclass

from ._publishers import Archive, GitHubCommit, PhysioNetProject, ZenodoRecord

# Folders of machines in the archives of DCASE Task 2. The names are from the tables of the challenge's pages and the
# scripts that download the archives.
_2020 = ("ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve")
_2021 = ("ToyCar", "ToyTrain", "fan", "gearbox", "pump", "slider", "valve")
_2022 = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")


@dataclass(frozen=True)
class ChallengeYear:
    """One year of DCASE Task 2: Zenodo records, machines and names of the archives.

    `names` are format strings of the archives of the parts. `revised` has the names that differ, by part and machine.
    """

    dev: int
    eval_train: int
    eval_test: int
    dev_machines: tuple[str, ...]
    eval_machines: tuple[str, ...]
    names: tuple[str, str, str] = ("dev_{}.zip", "eval_data_{}_train.zip", "eval_data_{}_test.zip")
    revised: tuple[tuple[str, str, str], ...] = ()

    def archive(self, part, machine):
        """Return the archive of a machine in "dev", "eval_train" or "eval_test"."""
        name = self.names[("dev", "eval_train", "eval_test").index(part)].format(machine)
        for revised_part, revised_machine, revised_name in self.revised:
            if (revised_part, revised_machine) == (part, machine):
                name = revised_name
        return Archive(name, into="dev_data" if part == "dev" else "eval_data", root=re.escape(machine))


DCASE_TASK2 = {
    2020: ChallengeYear(
        3678171,
        3727685,
        3841772,
        _2020,
        _2020,
        names=("dev_data_{}.zip", "eval_data_train_{}.zip", "eval_data_test_{}.zip"),
    ),
    2021: ChallengeYear(
        4562016,
        4660992,
        4884786,
        _2021,
        _2021,
        names=("dev_data_{}.zip", "eval_data_{}_train.zip", "eval_data_{}_test.zip"),
    ),
    2022: ChallengeYear(6355122, 6462969, 6586456, _2022, _2022),
    2023: ChallengeYear(
        7882613,
        7830345,
        7860847,
        _2022,
        ("ToyDrone", "ToyNscale", "ToyTank", "Vacuum", "bandsaw", "grinder", "shaker"),
    ),
    2024: ChallengeYear(
        10902294,
        11259435,
        11363076,
        _2022,
        (
            "3DPrinter",
            "AirCompressor",
            "BrushlessMotor",
            "HairDryer",
            "HoveringDrone",
            "RoboticArm",
            "Scanner",
            "ToothBrush",
            "ToyCircuit",
        ),
        revised=(
            ("eval_train", "3DPrinter", "eval_data_3DPrinter_train_r2.zip"),
            ("eval_train", "RoboticArm", "eval_data_RoboticArm_train_r2.zip"),
        ),
    ),
    2025: ChallengeYear(
        15097779,
        15392814,
        15519362,
        _2022,
        (
            "AutoTrash",
            "BandSealer",
            "CoffeeGrinder",
            "HomeCamera",
            "Polisher",
            "ScrewFeeder",
            "ToyPet",
            "ToyRCCar",
        ),
    ),
    2026: ChallengeYear(
        19336329,
        20151556,
        20437238,
        ("ToyCar", "ToyCarEmu", "bearingEmu", "fan", "gearboxEmu", "sliderEmu", "valveEmu"),
        ("BlowerDustCollector", "Sander", "SewingMachine", "ToothBrush", "ToyDrone"),
        revised=(("dev", "ToyCar", "dev_ToyCar_r2.zip"),),
    ),
}
MIMII = ZenodoRecord(3384388)
MIMII_DUE = ZenodoRecord(4740355)
MIMII_DG = ZenodoRecord(6529888)
TOYADMOS2 = ZenodoRecord(4580270)
ESC50 = GitHubCommit("karolpiczak/ESC-50", "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6", 645_832_161)
PHYSIONET2016 = PhysioNetProject("challenge-2016", "1.0.0")
SPRSOUND = GitHubCommit("SJTU-YONGFU-RESEARCH-GRP/SPRSound", "bca1e51422a42a042441010081519610ef3845d0")
