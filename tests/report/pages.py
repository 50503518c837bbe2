"""Synthetic reports for the tests of the page: beeps in noise, with all parts of a report."""

import functools
import io
import json

import numpy as np
import soundfile
from PIL import Image

RATE = 8000
DURATION = 2.0
THRESHOLD = -2.0
NOTHING = {
    "local": {"times": [], "scores": [], "threshold": None, "note": "The detector gives no local scores."},
    "moments": [],
    "bands": None,
    "words": {"sentence": "", "qualities": [], "note": "The sound qualities need kept training clips."},
    "tags": {"clip": [], "normal": [], "note": "The detector has no backbone with classes."},
    "nearest": {"clips": [], "note": "The detector keeps no training clips."},
}

_QUALITIES = [
    dict(zip(("name", "unit", "value", "low", "median", "high", "text"), row))
    for row in (
        ("sharpness", "acum", 2.1, 1.2, 1.4, 1.6, "sharper"),
        ("roughness", "asper", 0.31, 0.1, 0.15, 0.2, "rougher"),
        ("loudness", "sone", 8.2, 7.5, 8.0, 9.1, "as normal"),
    )
]


@functools.cache
def _mp3(frequency):
    time = np.arange(int(RATE * DURATION)) / RATE
    file = io.BytesIO()
    soundfile.write(
        file, 0.5 * np.sin(2 * np.pi * frequency * time), RATE, format="MP3", subtype="MPEG_LAYER_III"
    )
    return file.getvalue()


@functools.cache
def _png(seed, mode="RGB"):
    rng = np.random.default_rng(seed)
    levels = rng.gamma(2.0, 25.0, (64, 100)).clip(0, 255)
    levels[20:24] += 120
    if mode == "RGBA":
        pixels = np.zeros((64, 100, 4))
        pixels[18:26, 55:70] = (255, 60, 30, 170)
    else:
        pixels = np.stack([levels, 0.6 * levels, 120 - 0.3 * levels], axis=2)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8), mode).save(file, "PNG")
    return file.getvalue()


def _part(name, peak_db, has_map=False):
    ticks = [[0.1, "200 Hz"], [0.35, "500 Hz"], [0.6, "1 kHz"], [0.85, "2 kHz"]]
    return {
        "audio": {"asset": f"{name}.mp3", "peak_db": peak_db, "start": 0.0, "duration": DURATION, "note": ""},
        "spectrogram": {
            "asset": f"{name}.png",
            "map": f"{name}-map.png" if has_map else None,
            "map_note": ""
            if has_map
            else "The detector does not say at which frequencies a clip sounds wrong.",
            "width": 100,
            "height": 64,
            "start": 0.0,
            "duration": DURATION,
            "ticks": ticks,
            "low_db": -80.0,
            "high_db": 0.0,
        },
    }


def clip_entry(index, *, decision=None, path=None, **changes):
    """Return the row of a clip. Scores rise with the index."""
    score = -4.0 + 0.4 * index
    path = path or f"machine/fan_id_00_{index:08d}.wav"
    decision = decision or ("anomalous" if score < THRESHOLD else "normal")
    entry = {
        "id": f"clip-{index}",
        "path": path,
        "name": path.rsplit("/", 1)[-1],
        "csv_path": path,
        "label": (-1, 1, 0)[index % 3],
        "score": score,
        "margin": score - THRESHOLD,
        "p_value": min(1.0, 0.01 * (index + 1)),
        "decision": decision,
        "error": "",
        "worst": 1.2,
        "duration": DURATION,
        "mark": None,
    }
    if decision == "error":
        entry |= {"score": None, "margin": None, "p_value": None, "worst": None, "duration": None}
        entry["error"] = f"{path} cannot be decoded: the file is empty."
    return entry | changes


def clip_detail(entry, *, full=True):
    detail = _part(entry["id"], -20.0, has_map=full) | NOTHING
    if not full:
        return detail
    times = np.linspace(0.05, DURATION - 0.05, 20)
    scores = np.where((times > 1.1) & (times < 1.4), entry["score"] - 1, entry["score"] + 1)
    centers = np.geomspace(60, 3800, 32)
    median = -30 - 8 * np.log2(centers / 60)
    return detail | {
        "local": {"times": times.tolist(), "scores": scores.tolist(), "threshold": THRESHOLD, "note": ""},
        "moments": [
            {"start": 1.1, "end": 1.4, "score": entry["score"] - 1, "low_hz": 300.0, "high_hz": 1200.0}
        ],
        "bands": {
            "centers_hz": centers.tolist(),
            "clip_db": (median + 12 * (np.abs(np.log2(centers / 440)) < 0.4)).tolist(),
            "low_db": (median - 4).tolist(),
            "median_db": median.tolist(),
            "high_db": (median + 3).tolist(),
        },
        "words": {
            "sentence": "The sound is sharper and rougher than its nearest normals.",
            "qualities": _QUALITIES,
            "note": "",
        },
        "tags": {
            "clip": [["Engine", 0.52], ["Squeak", 0.31]],
            "normal": [["Engine", 0.71], ["Mechanical fan", 0.4]],
            "note": "",
        },
        "nearest": {
            "clips": [{"id": "normal-0", "distance": 0.31}, {"id": "normal-1", "distance": 0.42}],
            "note": "",
        },
    }


def _normal(index):
    return {"path": f"train/normal_{index}.wav", "name": f"normal_{index}.wav", "duration": DURATION}


def report_data(entries, **changes):
    scores = [entry["score"] for entry in entries if entry["score"] is not None]
    counts = {
        "recordings": len(entries),
        **{name: sum(entry["decision"] == name for entry in entries) for name in ("anomalous", "normal")},
        "errors": sum(entry["decision"] == "error" for entry in entries),
    }
    edges = np.linspace(min(scores, default=0), max(scores, default=1) + 0.1, 9)
    bars = {
        name: np.histogram(
            [e["score"] for e in entries if e["score"] is not None and e["label"] == label], edges
        )[0].tolist()
        for name, label in (("normal", 1), ("anomalous", -1), ("unlabelled", 0))
    }
    summary = {
        "counts": counts,
        "threshold": THRESHOLD,
        "promise": {"rate": 0.05, "kind": "guaranteed on average", "reason": "Held-out clips calibrate."},
        "shift": {"shifted": False, "text": "The scores agree with those of the calibration."},
        "lines": [],
        "auc": {"text": "AUC 0.93 (95 % interval 0.81 to 0.99) from 12 labels."},
        "detector": "Pipeline(\n    steps=[('detector', NearestNeighborsDetector())]\n)",
        "versions": {"skaudio_ad": "0.1.0", "scikit-learn": "1.9.0"},
        "notes": [],
        "histogram": {"edges": edges.tolist(), "calibration": [0, 0, 1, 2, 4, 6, 8, 5], **bars},
        "roc": {"fpr": [0, 0, 0.1, 0.2, 1], "tpr": [0, 0.6, 0.8, 0.95, 1], "at": [0.1, 0.8]},
    }
    return {
        "version": 1,
        "title": "Fan 0",
        "created": "2026-11-27 07:10 UTC",
        "key": "0123456789abcdef",
        "summary": summary | changes,
        "clips": entries,
        "normals": {f"normal-{i}": _normal(i) for i in range(2)},
    }


def report_assets(entries, *, full=True, sound=None):
    """Yield the assets of a report. `sound` replaces the content of all sounds."""
    for i in range(2):
        yield f"normal-{i}.json", "application/json", json.dumps(_part(f"normal-{i}", -14.0)).encode()
        yield f"normal-{i}.mp3", "audio/mpeg", _mp3(440)
        yield f"normal-{i}.png", "image/png", _png(100 + i)
    for entry in entries:
        if entry["decision"] == "error":
            continue
        name = entry["id"]
        yield f"{name}.json", "application/json", json.dumps(clip_detail(entry, full=full)).encode()
        yield f"{name}.mp3", "audio/mpeg", _mp3(660) if sound is None else sound
        yield f"{name}.png", "image/png", _png(int(name[5:]) % 5)
        if full:
            yield f"{name}-map.png", "image/png", _png(0, "RGBA")
