"""Names of MQTT topics, and the message by which Home Assistant finds a device."""

import hashlib
import math
from typing import Any

from ._problems import printable
from ._sink import MonitorInfo

# Maximum number of characters of a level of a topic, and of a name for people.
_MAX_LEVEL, _MAX_NAME = 60, 100
# Number of characters of the hash of a name that was changed.
_HASH_LENGTH = 6
# Number of hops, and minimum number of seconds, after which a score without a new window is unknown.
_HOPS, _SECONDS = 20, 60


def topic_level(name: str) -> str:
    """Turn a name into one level of a topic: letters, digits, "-" and "_". Different names give different levels.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        If a character was replaced, a hash of the name is at the end.
    """
    level = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in name)
    if level == name and 0 < len(name) <= _MAX_LEVEL:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH_LENGTH]
    return f"{level.strip('_')[:_MAX_LEVEL] or 'device'}_{digest}"


def check_topic(topic: str, name: str) -> None:
    """Raise unless records can be published under a topic.

    Parameters
    ----------
    topic : str
    name : str
        Name of the parameter, for the message.

    Raises
    ------
    ValueError
    """
    bad = not topic or len(topic.encode("utf-8", "replace")) > 200 or not topic.isprintable()
    if bad or topic.startswith("$") or set("+#") & set(topic) or not all(topic.split("/")):
        raise ValueError(
            f"{name} must be a topic of MQTT such as 'skaudio_ad' or 'factory/skaudio_ad', without '+', '#', '$' at "
            f"the beginning, and empty levels, got {topic!r}."
        )


def plain_name(name: str) -> str:
    """Return a name for people: no control characters, and no braces, which begin a template of Home Assistant.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return printable(name, _MAX_NAME).replace("{", "(").replace("}", ")").strip() or "skaudio_ad"


def discovery(base: str, device: str, name: str, info: MonitorInfo) -> dict[str, Any]:
    """Describe a monitor for Home Assistant: one device with an alarm, the score and so on (device discovery).

    Parameters
    ----------
    base : str
        Topic of the monitor. The states are published one level below.
    device : str
        Name of the device in identifiers, a level of a topic.
    name : str
        Name of the device for people.
    info : MonitorInfo

    Returns
    -------
    dict
    """
    version = info.versions.get("skaudio_ad", "")
    expires = math.ceil(max(_SECONDS, _HOPS * info.hop))
    measured = {"state_class": "measurement", "expire_after": expires}
    problem = {"platform": "binary_sensor", "device_class": "problem"}
    components: dict[str, dict[str, Any]] = {
        "alarm": problem | {"name": "Alarm", "json_attributes_topic": f"{base}/last_event"},
        "drift": problem | {"name": "Drift", "entity_category": "diagnostic"},
        "score": {"platform": "sensor", "name": "Score", "icon": "mdi:waveform"} | measured,
        "p_value": {"platform": "sensor", "name": "p-value", "icon": "mdi:percent-circle-outline"} | measured,
        "level": {
            "platform": "sensor",
            "name": "Level",
            "unit_of_measurement": "dB",
            "icon": "mdi:volume-high",
        }
        | measured,
        "event": {"platform": "event", "name": "Event", "event_types": ["raised", "cleared"]},
    }
    for key, component in components.items():
        component |= {"unique_id": f"skaudio_ad_{device}_{key}", "state_topic": f"{base}/{key}"}
    return {
        "device": {
            "identifiers": [f"skaudio_ad_{device}"],
            "name": name,
            "manufacturer": "skaudio_ad",
            "model": plain_name(info.detector),
            **({"sw_version": version} if version else {}),
        },
        "origin": {"name": "skaudio_ad", **({"sw_version": version} if version else {})},
        "availability_topic": f"{base}/availability",
        "qos": 1,
        "components": components,
    }
