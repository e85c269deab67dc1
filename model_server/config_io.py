"""Settings files: frozen dataclasses of plain values read from TOML and written to it.

A settings class has a default for every field. A field is a number, a word, a ``Literal`` of words, a tuple of one
kind of value, a dictionary from words to one kind of value, or another such class, which is a table in the file.
"""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ConfigError

Settings = TypeVar("Settings")

_LARGEST_FILE = 1 << 20


def read_config(kind: type[Settings], path: Path) -> Settings:
    """Return the settings in the TOML file ``path``; what it leaves out keeps its default.

    Raises:
        ConfigError: for a missing file, broken TOML, an unknown key or a value of the wrong kind.
    """
    return parse_config(kind, read_table(path), path.name)


def read_table(path: Path) -> dict[str, Any]:
    """Return the tables of the TOML file ``path``, unchecked.

    Raises:
        ConfigError: for a missing file, one larger than 1 MiB, or broken TOML.
    """
    if not path.is_file():
        raise ConfigError(f"the settings file '{path}' is missing")
    if path.stat().st_size > _LARGEST_FILE:
        raise ConfigError(f"'{path}' is larger than 1 MiB; that is no settings file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' is no valid TOML: {error}") from error


def parse_config(kind: type[Settings], table: Mapping[str, Any], where: str) -> Settings:
    """Return ``table`` as settings of the class ``kind``.

    Args:
        kind: a frozen dataclass with a default for every field.
        table: keys and values as TOML has them.
        where: what error messages call the table.

    Raises:
        ConfigError: for an unknown key, a value of the wrong kind, or one that the class itself refuses.
    """
    return _update(kind(), table, where)


def merge_setting(table: dict[str, Any], assignment: str) -> None:
    """Put ``assignment``, such as ``loop.steps=400``, into ``table``; words need no quotes.

    Raises:
        ConfigError: when it is no assignment.
    """
    name, equals, text = assignment.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"'{assignment}' is no setting; write TABLE.KEY=VALUE, such as loop.steps=400")
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"'{assignment}': '{key}' is no table of settings")
    table[keys[-1]] = value


def write_config(config: Any, path: Path) -> None:
    """Write settings as TOML, each with what its class says of it as a comment; a crash leaves the old file whole."""
    partial = path.with_suffix(".partial")
    partial.write_text(config_text(config), encoding="utf-8")
    partial.replace(path)


def config_text(config: Any) -> str:
    """Return settings as TOML with comments."""
    plain: list[str] = []
    tables: list[str] = []
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            tables.append(f"[{field.name}]\n{config_text(value)}")
        elif value is not None:
            about = _descriptions(type(config)).get(field.name)
            plain.append((f"# {about}\n" if about else "") + f"{field.name} = {_toml(value)}\n")
    return "".join(plain) + ("\n" if plain and tables else "") + "\n".join(tables)


def differences(first: Any, second: Any) -> list[str]:
    """Return the names of the settings in which two settings of one class differ, such as ``loop.steps``."""
    names: list[str] = []
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if is_dataclass(one) and is_dataclass(other):
            names += [f"{field.name}.{name}" for name in differences(one, other)]
        elif one != other:
            names.append(field.name)
    return names


def _update(settings: Settings, table: Mapping[str, Any], where: str) -> Settings:
    """Return ``settings`` with the values of ``table``; tables inside it change only what they name."""
    hints = get_type_hints(type(settings))
    known = [field.name for field in fields(settings)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown setting '{key}'; there are {', '.join(known)}")
        present = getattr(settings, key)
        if is_dataclass(present) and isinstance(value, dict):
            values[key] = _update(present, value, f"{where}: {key}")
        else:
            values[key] = _convert(hints[key], value, f"{where}: {key}")
    try:
        return replace(settings, **values)  # type: ignore[type-var]
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Return ``value`` as the type ``hint``, or raise ConfigError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (wanted,) = (option for option in arguments if option is not NoneType)
        return _convert(wanted, value, where)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {value!r}; choose from {', '.join(map(str, arguments))}")
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(arguments[0], item, where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise ConfigError(f"{where} is {value!r}; it must be {_kind_name(hint)}")


def _kind_name(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a list, each {_kind_name(get_args(hint)[0])}"
    names = {int: "a whole number", float: "a number", str: "a word in quotes", bool: "true or false"}
    return names.get(hint, "a table")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def _descriptions(kind: type) -> dict[str, str]:
    """Return what the ``Attributes`` section of a docstring says of each field, on one line."""
    _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    described: dict[str, str] = {}
    for match in re.finditer(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {8,}.+)*)", section, re.MULTILINE):
        text = " ".join(match[2].split())
        described |= dict.fromkeys(match[1].split(", "), text)
    return described
