"""Trees of empty files that are named like the recordings of published data sets."""

from pathlib import Path

# Path, then machine, section, domain, attributes, split, label and set, as the organisers describe the names.
DCASE = {
    2020: [
        ("dev_data/fan/train/normal_id_00_00000000.wav", "fan", "00", "", "", "train", 1, "dev"),
        ("eval_data/fan/train/normal_id_01_00000000.wav", "fan", "01", "", "", "train", 1, "eval"),
        ("dev_data/fan/test/anomaly_id_00_00000000.wav", "fan", "00", "", "", "test", -1, "dev"),
        ("dev_data/fan/test/normal_id_00_00000000.wav", "fan", "00", "", "", "test", 1, "dev"),
        ("eval_data/fan/test/id_01_00000000.wav", "fan", "01", "", "", "test", 0, "eval"),
    ],
    2021: [
        (
            "dev_data/fan/train/section_00_source_train_normal_0000_strength_1_ambient.wav",
            *("fan", "00", "source", "strength_1_ambient", "train", 1, "dev"),
        ),
        (
            "dev_data/fan/train/section_00_target_train_normal_0001_strength_1_ambient.wav",
            *("fan", "00", "target", "strength_1_ambient", "train", 1, "dev"),
        ),
        (
            "dev_data/fan/source_test/section_00_source_test_anomaly_0000.wav",
            *("fan", "00", "source", "", "test", -1, "dev"),
        ),
        (
            "dev_data/fan/target_test/section_00_target_test_normal_0000.wav",
            *("fan", "00", "target", "", "test", 1, "dev"),
        ),
        (
            "eval_data/fan/source_test/section_03_source_test_0000.wav",
            *("fan", "03", "source", "", "test", 0, "eval"),
        ),
        (
            "eval_data/fan/target_test/section_03_target_test_0000.wav",
            *("fan", "03", "target", "", "test", 0, "eval"),
        ),
    ],
    2022: [
        (
            "dev_data/slider/train/section_00_source_train_normal_0000_vel_300_ac_0.02.wav",
            *("slider", "00", "source", "vel_300_ac_0.02", "train", 1, "dev"),
        ),
        (
            "dev_data/slider/train/section_02_target_train_normal_0000_vel_300.wav",
            *("slider", "02", "target", "vel_300", "train", 1, "dev"),
        ),
        (
            "dev_data/slider/test/section_00_source_test_normal_0000_vel_300.wav",
            *("slider", "00", "source", "vel_300", "test", 1, "dev"),
        ),
        (
            "dev_data/slider/test/section_00_target_test_anomaly_0000_vel_300.wav",
            *("slider", "00", "target", "vel_300", "test", -1, "dev"),
        ),
        ("eval_data/slider/test/section_03_0000.wav", "slider", "03", "", "", "test", 0, "eval"),
        ("eval_data/slider/test/section_04_test_0000.wav", "slider", "04", "", "", "test", 0, "eval"),
    ],
    2023: [
        (
            "dev_data/gearbox/train/section_00_source_train_normal_0000_volt_1.5.wav",
            *("gearbox", "00", "source", "volt_1.5", "train", 1, "dev"),
        ),
        (
            "dev_data/gearbox/test/section_00_target_test_anomaly_0049_volt_1.5.wav",
            *("gearbox", "00", "target", "volt_1.5", "test", -1, "dev"),
        ),
        (
            "eval_data/bandsaw/train/section_00_target_train_normal_0000_vel_9.wav",
            *("bandsaw", "00", "target", "vel_9", "train", 1, "eval"),
        ),
        ("eval_data/bandsaw/test/section_00_0000.wav", "bandsaw", "00", "", "", "test", 0, "eval"),
    ],
    2024: [
        (
            "dev_data/gearbox/train/section_00_source_train_normal_0000_noAttribute.wav",
            *("gearbox", "00", "source", "", "train", 1, "dev"),
        ),
        (
            "dev_data/gearbox/test/section_00_source_test_normal_0000_noAttribute.wav",
            *("gearbox", "00", "source", "", "test", 1, "dev"),
        ),
        (
            "eval_data/3DPrinter/train/section_00_source_train_normal_0000_mdl_A_spd_1.wav",
            *("3DPrinter", "00", "source", "mdl_A_spd_1", "train", 1, "eval"),
        ),
        ("eval_data/3DPrinter/test/section_00_0001.wav", "3DPrinter", "00", "", "", "test", 0, "eval"),
    ],
    2025: [
        (
            "dev_data/bearing/train/section_00_source_train_normal_0000_noAttribute.wav",
            *("bearing", "00", "source", "", "train", 1, "dev"),
        ),
        (
            "dev_data/bearing/test/section_00_target_test_normal_0000_noAttribute.wav",
            *("bearing", "00", "target", "", "test", 1, "dev"),
        ),
        (
            "dev_data/bearing/supplemental/section_00_machine_0001_.wav",
            *("bearing", "00", "", "", "supplemental", 1, "dev"),
        ),
        (
            "dev_data/bearing/supplemental/section_00_noise_supplemental_normal_0000.wav",
            *("bearing", "00", "", "", "supplemental", 0, "dev"),
        ),
        (
            "eval_data/ToyPet/train/section_00_source_train_normal_0000_noAttribute.wav",
            *("ToyPet", "00", "source", "", "train", 1, "eval"),
        ),
    ],
    2026: [
        (
            "dev_data/valveEmu/train/section_00_source_train_normal_0000_noAttributes.wav",
            *("valveEmu", "00", "source", "", "train", 1, "dev"),
        ),
        (
            "dev_data/valveEmu/test/section_00_source_test_anomaly_0000_noAttribute.wav",
            *("valveEmu", "00", "source", "", "test", -1, "dev"),
        ),
        (
            "eval_data/Sander/train/section_00_target_train_normal_0009_spd_4_grit_60.wav",
            *("Sander", "00", "target", "spd_4_grit_60", "train", 1, "eval"),
        ),
        ("eval_data/Sander/test/section_00_0199.wav", "Sander", "00", "", "", "test", 0, "eval"),
    ],
}


def touch(root, *paths):
    """Write empty files. No loader opens a recording."""
    for path in paths:
        (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
        (Path(root) / path).touch()


def write_year(root, year, place="{}"):
    """Write the tree of a year. `place` is the folder of the machines for "dev_data" or "eval_data"."""
    for path, *_ in DCASE[year]:
        part, rest = path.split("/", 1)
        touch(root, f"{place.format(part)}/{rest}")
    if year >= 2022:
        touch(
            root,
            *{
                f"{place.format('dev_data')}/{row[1]}/attributes_00.csv"
                for row in DCASE[year]
                if row[-1] == "dev"
            },
        )
    return root
