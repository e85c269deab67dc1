"""The model server: speech in, facial animation out."""

__version__ = "0.1.0"
