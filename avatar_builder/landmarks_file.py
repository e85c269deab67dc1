"""Where the detected landmarks are kept."""

from pathlib import Path
from typing import Final

LANDMARKS_FILE: Final = Path(__file__).with_name("landmarks.npy")
