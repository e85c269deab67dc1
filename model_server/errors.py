"""The error tree of the model server. Each message says what was wrong, where, and what to do.

DreamTalkError
├── AudioError        a recording that cannot be decoded or used
├── PortraitError     an image that cannot be used as a portrait
├── CaptureError      a video from which no face can be captured
├── CharacterError    a character file that cannot be read
├── WeightsError      a weights file that is missing, broken or made for another version
├── ConfigError       an unknown or out-of-range setting
├── ExportError       an output file that could not be written
└── Cancelled         the caller asked to stop
"""


class DreamTalkError(Exception):
    """Base of every error that a user can cause or mend; shown as one line, without a traceback."""


class AudioError(DreamTalkError):
    """A recording that cannot be decoded or used."""


class PortraitError(DreamTalkError):
    """An image that cannot be used as a portrait."""


class CaptureError(DreamTalkError):
    """A video from which no face can be captured."""


class CharacterError(DreamTalkError):
    """A character file that cannot be read."""


class WeightsError(DreamTalkError):
    """A weights file that is missing, broken or made for another version."""


class ConfigError(DreamTalkError):
    """An unknown or out-of-range setting."""


class ExportError(DreamTalkError):
    """An output file that could not be written."""


class Cancelled(DreamTalkError):
    """The caller asked to stop."""
