"""Choose whether the sounds and pictures of a report are in the page or in a folder beside it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ._assets import Asset, AssetMaker

# Maximum size of the assets that "auto" puts into the page, in bytes. Larger pages open slowly.
_EMBEDDED = 100_000_000
# Maximum size of the assets that may be put into the page, in bytes. Browsers refuse pages of about 1 GB.
_LARGEST = 500_000_000
# Number of recordings whose assets are made before their size is judged.
_N_JUDGED = 12


def place_assets(
    bundles: Iterator[list[Asset]],
    maker: AssetMaker,
    output: Path,
    assets: bool | Literal["auto"],
) -> tuple[Path | None, Iterator[Asset]]:
    """Choose whether the assets get a folder beside the page.

    Parameters
    ----------
    bundles : iterator of list of (str, str, bytes)
        Assets of every recording.
    maker : AssetMaker
    output : pathlib.Path
    assets : bool or "auto"

    Returns
    -------
    folder : pathlib.Path or None
        None puts the assets into the page.
    made : iterator of (str, str, bytes)
        The assets, one after the other.

    Raises
    ------
    ValueError
        If `assets` is False and the assets are too large for a page.
    """
    folder = output.with_name(f"{output.stem}_assets")
    judged = list(itertools.islice(bundles, _N_JUDGED))
    made = itertools.chain.from_iterable(itertools.chain(judged, bundles))
    if assets is True:
        return folder, made
    size = _expected_size(judged, maker)
    limit = _EMBEDDED if assets == "auto" else _LARGEST
    if size <= limit:
        return None, made
    if assets == "auto":
        return folder, made
    getattr(bundles, "close", lambda: None)()  # no more assets are made
    raise ValueError(
        f"the page would have about {size / 1e6:.0f} MB, and browsers may refuse pages of more than "
        f"{_LARGEST / 1e6:.0f} MB. Set assets=True, which puts sounds and pictures into a folder beside the page, or "
        'choose a smaller max_duration or audio_format="mp3".'
    )


def _expected_size(judged, maker):
    """Expected size of all assets, from the assets of a few recordings and the durations of all."""
    sizes = {"clip": 0.0, "normal": 0.0}
    counts = {"clip": 0, "normal": 0}
    for name, media_type, content in itertools.chain.from_iterable(judged):
        kind = name.partition("-")[0]
        sizes[kind] += len(content) * (1 if media_type == "application/json" else 4 / 3)  # base64
        counts[kind] += media_type == "application/json"

    longest = maker.reader.max_duration

    def length(clip):
        # A second stands for the facts and the picture. A recording of unknown duration is mostly unreadable.
        return 1.0 + min(clip.duration or 0.0, longest)

    seconds = sum(map(length, maker.clips)) / sum(map(length, maker.clips[: len(judged)]))
    normal = sizes["normal"] / max(1, counts["normal"]) * len(maker.shown_normal)
    return sizes["clip"] * seconds + normal
