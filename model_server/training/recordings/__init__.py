"""A studio's own recordings as training performances: Live Link Face, videos, BEAT, BEAT2, MEAD and HDTF."""

from .importer import LAYOUTS, Progress, Summary, add
from .recording import Refused

__all__ = ["LAYOUTS", "Progress", "Refused", "Summary", "add"]
