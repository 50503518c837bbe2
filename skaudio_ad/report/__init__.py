"""A page to look at recordings and to listen to them, with the scores of a detector."""

from ._make_report import make_report
from ._marks import read_marks

__all__ = ["make_report", "read_marks"]
