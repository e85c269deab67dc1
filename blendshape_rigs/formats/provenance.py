"""Provenance as a plain JSON object, for the formats that keep it."""

from __future__ import annotations

from dataclasses import fields

from ..curves import Provenance
from .common import FormatError

LONGEST_TEXT = 1000


def provenance_from(record: object) -> Provenance:
    """Return the provenance in a decoded JSON object; fields that are not there keep their defaults.

    Raises:
        FormatError: for another type, an unknown field, or a field of the wrong type.
    """
    if not isinstance(record, dict):
        raise FormatError("provenance must be an object")
    types = {field.name: type(field.default) for field in fields(Provenance)}
    for name, value in record.items():
        expected = types.get(name)
        if expected is None:
            raise FormatError(f"provenance: unknown field '{str(name)[:60]}'")
        if type(value) is not expected or len(str(value)) > LONGEST_TEXT:
            raise FormatError(f"provenance: '{name}' must be a {'short text' if expected is str else 'whole number'}")
    return Provenance(**record)
