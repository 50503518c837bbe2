"""Machines, sections and archives of DCASE Task 2, year by year."""

from typing import NamedTuple


class Year(NamedTuple):
    """Facts of one year."""

    layout: str
    dev: tuple[str, ...]
    eval: tuple[str, ...]
    records: tuple[int, int, int]  # Zenodo: development, additional training, evaluation
    paper: str
    no_attribute: frozenset[str] = frozenset()


_BOTH_2020 = ("ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve")
_BOTH_2021 = ("ToyCar", "ToyTrain", "fan", "gearbox", "pump", "slider", "valve")
_BOTH_2022 = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")
_EVAL_2024 = (
    "3DPrinter",
    "AirCompressor",
    "BrushlessMotor",
    "HairDryer",
    "HoveringDrone",
    "RoboticArm",
    "Scanner",
    "ToothBrush",
    "ToyCircuit",
)
_EVAL_2025 = (
    "AutoTrash",
    "BandSealer",
    "CoffeeGrinder",
    "HomeCamera",
    "Polisher",
    "ScrewFeeder",
    "ToyPet",
    "ToyRCCar",
)

#: Facts of every year. Sources: the official baseline (machines, records), the official evaluators, and for
#: `no_attribute` the tables ground_truth_attributes of the baseline (2024, 2025) and a list of all files (2026).
YEARS = {
    2020: Year(
        "ids", _BOTH_2020, _BOTH_2020, (3678171, 3727685, 3841772), "https://arxiv.org/abs/2006.05822"
    ),
    2021: Year(
        "domain folders",
        _BOTH_2021,
        _BOTH_2021,
        (4562016, 4660992, 4884786),
        "https://arxiv.org/abs/2106.04492",
    ),
    2022: Year(
        "sections", _BOTH_2022, _BOTH_2022, (6355122, 6462969, 6586456), "https://arxiv.org/abs/2206.05876"
    ),
    2023: Year(
        "sections",
        _BOTH_2022,
        ("ToyDrone", "ToyNscale", "ToyTank", "Vacuum", "bandsaw", "grinder", "shaker"),
        (7882613, 7830345, 7860847),
        "https://arxiv.org/abs/2305.07828",
    ),
    2024: Year(
        "sections",
        _BOTH_2022,
        _EVAL_2024,
        (10902294, 11259435, 11363076),
        "https://arxiv.org/abs/2406.07250",
        frozenset(
            {
                "ToyTrain",
                "gearbox",
                "slider",
                "AirCompressor",
                "BrushlessMotor",
                "HoveringDrone",
                "ToothBrush",
            }
        ),
    ),
    2025: Year(
        "sections",
        _BOTH_2022,
        _EVAL_2025,
        (15097779, 15392814, 15519362),
        "https://arxiv.org/abs/2506.10097",
        frozenset({"ToyTrain", "bearing", "slider", "AutoTrash", "Polisher", "ScrewFeeder", "ToyPet"}),
    ),
    2026: Year(
        "sections",
        ("ToyCar", "ToyCarEmu", "bearingEmu", "fan", "gearboxEmu", "sliderEmu", "valveEmu"),
        ("BlowerDustCollector", "Sander", "SewingMachine", "ToothBrush", "ToyDrone"),
        (19336329, 20151556, 20437238),
        "https://arxiv.org/abs/2606.01578",
        frozenset({"ToyCar", "bearingEmu", "sliderEmu", "valveEmu", "ToothBrush", "SewingMachine"}),
    ),
}
# Machine IDs of the development set of 2020. The other IDs belong to the evaluation set.
_DEV_IDS_2020 = {"ToyCar": ("01", "02", "03", "04"), "ToyConveyor": ("01", "02", "03")}
_OTHER_DEV_IDS_2020 = ("00", "02", "04", "06")


def machines_of(year: int) -> list[str]:
    """Return the machines of a year, development before evaluation."""
    return list(dict.fromkeys((*YEARS[year].dev, *YEARS[year].eval)))


def years_of(machine: str) -> list[int]:
    """Return the years that have a machine."""
    return [year for year in YEARS if machine in machines_of(year)]


def is_development(year: int, machine: str, section: str) -> bool:
    """Return whether a section of a machine belongs to the development set."""
    if year == 2020:
        return section in _DEV_IDS_2020.get(machine, _OTHER_DEV_IDS_2020)
    if year in (2021, 2022):
        return section < "03"
    return machine in YEARS[year].dev
