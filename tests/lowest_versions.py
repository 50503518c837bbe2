"""Print the lowest version that pyproject.toml allows of every dependency, as constraints for pip."""

import re
import sys
import tomllib


def lowest_versions(requirements):
    """``name==version`` of every requirement that has a lower bound.

    Parameters
    ----------
    requirements : iterable of str
        Such as ``"numpy>=2"`` or ``"torch>=2.11,<2.15"``.

    Returns
    -------
    list of str
    """
    return [
        f"{name}=={lowest}"
        for name, lowest in (
            found.groups()
            for found in (re.match(r"([\w.-]+)(?:\[.*?\])?>=([\w.]+)", text) for text in requirements)
            if found
        )
    ]


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print("\n".join(lowest_versions(tomllib.load(file)["project"]["dependencies"])))
