"""AudioSet classes of recordings, if the backbone of a detector has a classifier."""

from typing import Any

from ..audio import AudioClips
from ..embeddings import AUDIOSET_LABELS, BackboneEmbedding, WeightsError, class_labels
from ._excerpt import Excerpt

# Number of classes of a recording that the page shows.
_N_TAGS = 5


class Tagger:
    """Name the AudioSet classes of excerpts.

    Parameters
    ----------
    middle : Pipeline or None
        Steps between the loader and the detector.

    Attributes
    ----------
    note : str
        Why there are no classes, or "".
    """

    def __init__(self, middle: Any) -> None:
        steps = [] if middle is None else [step for _, step in middle.steps]
        self.backbone: Any = next(
            (step for step in reversed(steps) if isinstance(step, BackboneEmbedding)), None
        )
        self.note = self._find_problem()

    def _find_problem(self):
        if self.backbone is None:
            return "There are no AudioSet classes, because the detector has no backbone that was trained on them."
        try:
            self.backbone._check_output("logits")
        except ValueError:
            return (
                f"The backbone {self.backbone.variant} has no AudioSet classes. mn04 is the smallest backbone with "
                "classes."
            )
        try:
            class_labels(download=False, quiet=True)
        except WeightsError:
            return (
                "The names of the AudioSet classes are not on this machine. `skaudio-ad weights download "
                f"{AUDIOSET_LABELS.name}` gets them."
            )
        return ""

    def __call__(self, excerpt: Excerpt) -> list[tuple[str, float]]:
        """Name the likeliest classes of an excerpt.

        Parameters
        ----------
        excerpt : Excerpt

        Returns
        -------
        list of (str, float)
            Classes with their probabilities, the likeliest first. Empty if there are no classes.
        """
        if self.note:
            return []
        clips = AudioClips([excerpt.samples], excerpt.sample_rate)
        return [(name, round(value, 4)) for name, value in self.backbone.predict_tags(clips, top=_N_TAGS)[0]]
