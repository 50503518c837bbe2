"""A map of clips as one HTML element: points of an SVG that play their recording."""

import base64
import hashlib
import html
import itertools
import json
import os

import numpy as np

from .._clip_errors import shown
from .._stream import stream
from ..audio import read_audio
from ..audio._browser import encode_sound
from ._drawing import count

# Size of the picture and of its margins, in pixels.
_WIDTH, _HEIGHT, _MARGIN = 640, 460, 34
# Sample rate of the sounds in hertz, which keeps frequencies up to 8 kHz and half the size of full bandwidth.
_RATE = 16_000
# Maximum number of points. A browser slows down with more elements.
_MAX_POINTS = 5000
# Shapes of the markers of matplotlib, for a radius of about 5 pixels.
_SHAPES = {
    "o": '<circle r="5"/>',
    "s": '<path d="M-4.5-4.5h9v9h-9z"/>',
    "D": '<path d="M0-6L6 0 0 6-6 0z"/>',
    "^": '<path d="M0-6L6 5H-6z"/>',
    "v": '<path d="M0 6L6-5H-6z"/>',
    "P": '<path d="M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z"/>',
    "X": '<path d="M-3-6L0-3 3-6 6-3 3 0 6 3 3 6 0 3-3 6-6 3-3 0-6-3z"/>',
}
# Maps of one process have different numbers, so that the same map in two cells of a notebook has two names.
_numbers = itertools.count()

_STYLE = """
#ID{max-width:660px;font:13px sans-serif}
#ID svg{width:100%;height:auto;border:1px solid #8888}
#ID svg text{fill:currentColor;font-size:13px}
#ID .point{opacity:.75;cursor:pointer}
#ID .silent{fill-opacity:.15;cursor:default}
#ID .point:focus{outline:none;opacity:1;stroke:currentColor;stroke-width:2.5}
#ID .legend span{margin-right:1.2em;white-space:nowrap}
#ID .legend svg{width:14px;height:14px;border:0;vertical-align:-2px}
#ID output{display:block;min-height:1.4em;overflow-wrap:anywhere}
#ID audio{width:100%;height:32px}
"""

_SCRIPT = """
(() => {
  const root = document.getElementById("ID");
  if (!root || root.dataset.ready) return;
  root.dataset.ready = "yes";
  const sounds = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const points = [...root.querySelectorAll(".point")];
  const audio = root.querySelector("audio"), says = root.querySelector("output");
  const place = (point) => [+point.dataset.x, +point.dataset.y];
  const select = (point) => {
    points.forEach((other) => other.setAttribute("tabindex", "-1"));
    point.setAttribute("tabindex", "0");
    point.focus();
    says.textContent = point.getAttribute("aria-label");
  };
  const play = (point) => {
    select(point);
    const sound = sounds[point.dataset.clip];
    if (!sound) { audio.pause(); return; }
    audio.src = "data:audio/mpeg;base64," + sound;
    audio.play().catch((error) => { says.textContent += " (" + error.message + ")"; });
  };
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  points.forEach((point) => {
    point.addEventListener("click", () => play(point));
    point.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") play(point);
      else if (event.key in steps) {
        const [x, y] = place(point), [right, down] = steps[event.key];
        let best = null, least = Infinity;
        points.forEach((other) => {
          const [dx, dy] = [place(other)[0] - x, place(other)[1] - y];
          const ahead = dx * right + dy * down, aside = Math.abs(dx * down) + Math.abs(dy * right);
          if (ahead > 0 && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = other; }
        });
        if (best) select(best);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  });
})();
"""


def make_map(
    positions, looks, axis_labels, *, order, paths, keeps_distances, n_left_out, max_bytes, max_duration
):
    """Make the HTML element of a map.

    Parameters
    ----------
    positions : ndarray of shape (n_clips, 2)
    looks : list of (str, ndarray of int, str, str)
        Label, clips, colour and marker of every kind of point, from background to foreground.
    axis_labels : tuple of str
    order : ndarray of int
        Clips to draw, in the order that their sounds are encoded.
    paths : list of str or None
        File of every clip.
    keeps_distances : bool
        Whether both axes have one scale.
    n_left_out : int
        Number of clips without a position.
    max_bytes : float
        Maximum size of all sounds together, encoded as text.
    max_duration : float
        Maximum duration of a sound, in seconds.

    Returns
    -------
    str
    """
    notes = [f"{count(n_left_out, 'clip')} that could not be read left out."] if n_left_out else []
    if len(order) > _MAX_POINTS:
        notes.append(f"{_MAX_POINTS} of {len(order)} clips are shown, in even steps through the list.")
        order = order[np.linspace(0, len(order) - 1, _MAX_POINTS).round().astype(int)]
    sounds = {}
    if paths is not None:
        sounds, more = _encode(paths, order, max_bytes, max_duration)
        notes += more
    places = _scale(positions, order, keeps_distances)
    points: list[str] = []
    legend, shown_clips = [], set(order.tolist())
    names = _names(paths, len(positions))
    for label, clips, color, marker in looks:
        clips = [clip for clip in clips.tolist() if clip in shown_clips]
        legend.append(
            f'<span><svg viewBox="-7 -7 14 14" fill="{color}" aria-hidden="true">{_SHAPES[marker]}</svg> '
            f"{html.escape(label)} ({len(clips)})</span>"
        )
        for clip in clips:
            points.append(
                _point(clip, names[clip], places[clip], label, color, marker, clip in sounds, not points)
            )
    text = "".join(points)
    name = f"skaudio-map-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{next(_numbers)}"
    axes = [html.escape(label) for label in axis_labels]
    picture = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="Map of {count(len(order), "clip")}. '
        f'The arrow keys move between clips, and Enter plays a clip.">'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{axes[0]}</text>'
        f'<text transform="translate(18 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">{axes[1]}</text>'
        f"{text}</svg>"
    )
    player = (
        '<output aria-live="polite">Click a point to play its recording.</output><audio controls></audio>'
    )
    note = f"<div>{html.escape(' '.join(notes))}</div>" if notes else ""
    return (
        f'<div id="{name}"><style>{_STYLE.replace("ID", name)}</style>'
        f'<div class="legend">{"".join(legend)}</div>{picture}'
        f"{player if sounds else '<output aria-live=polite></output><audio hidden></audio>'}{note}"
        f'<script type="application/json">{json.dumps(sounds)}</script>'
        f"<script>{_SCRIPT.replace('ID', name)}</script></div>"
    )


def _point(clip, name, place, label, color, marker, has_sound, is_first):
    text = html.escape(f"{name}, {label}" + ("" if has_sound else ", without sound"))
    x, y = (f"{value:.1f}" for value in place)
    return (
        f'<g class="point{"" if has_sound else " silent"}" role="{"button" if has_sound else "img"}" '
        f'tabindex="{0 if is_first else -1}" aria-label="{text}" data-clip="{clip}" data-x="{x}" data-y="{y}" '
        f'transform="translate({x} {y})" fill="{color}" stroke="{color}"><title>{text}</title>{_SHAPES[marker]}</g>'
    )


def _scale(positions, order, keeps_distances):
    """Return positions in pixels, which grow downwards."""
    low, high = positions[order].min(axis=0), positions[order].max(axis=0)
    room = np.array([_WIDTH, _HEIGHT]) - 2 * _MARGIN
    factors = room / np.where(high > low, high - low, 1)
    if keeps_distances:
        factors = np.repeat(factors.min(), 2)
    middle = np.array([_WIDTH, _HEIGHT]) / 2
    return middle + (positions - (low + high) / 2) * factors * [1, -1]


def _encode(paths, order, max_bytes, max_duration):
    """Encode sounds until they are too large together. Return them by clip, and notes about those left out."""
    sounds, n_bytes, reasons, n_too_many = {}, 0, [], 0
    made = stream(_Encode(max_duration), [paths[clip] for clip in order])
    for index, (clip, (sound, reason)) in enumerate(zip(order.tolist(), made)):
        if sound is None:
            reasons.append(reason)
        elif n_bytes + len(sound) > max_bytes:
            n_too_many = len(order) - index
            break
        else:
            n_bytes += len(sound)
            sounds[clip] = sound
    notes = []
    if n_too_many:
        notes.append(
            f"Pale points have no sound here: {n_too_many} of {len(order)} sounds are left out, because all sounds "
            f"together would exceed {max_bytes / 1e6:g} MB. Raise max_megabytes of to_html, or lower max_duration."
        )
    if reasons:
        notes.append(
            f"{count(len(reasons), 'recording')} cannot be played. The first reason: {shown(reasons[0])}"
        )
    return sounds, notes


class _Encode:
    """Function of a path that returns the sound in base64 and "", or None and the reason."""

    def __init__(self, max_duration):
        self.max_duration = max_duration

    def __call__(self, path):
        try:
            samples, rate = read_audio(path, _RATE, duration=self.max_duration)
            return base64.b64encode(encode_sound(samples, rate)[0]).decode("ascii"), ""
        except Exception as error:  # any error: the other recordings play all the same
            return None, str(error) or type(error).__name__


def _names(paths, n_clips):
    """Return the name of every clip: its path without the folders that all clips share."""
    if paths is None:
        return [f"clip {clip}" for clip in range(n_clips)]
    try:
        shared = os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # relative and absolute paths, or two drives
        shared = ""
    return [shown(os.path.relpath(path, shared) if shared else path) for path in paths]
