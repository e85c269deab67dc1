"""Write what the server answers to: ``docs/openapi.json``, and its tables in ``docs/server_api.md``.

Both come from the routes and from the models of their options. The server reads multipart bodies by itself and
serves no description of its own, so this script adds what routes cannot know: bodies, binary answers, the token.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from model_server.server.app import create_app
from model_server.server.captures import CaptureOptions
from model_server.server.jobs import JobQueue
from model_server.server.portraits import PortraitJobOptions, PortraitUpload, PortraitView, Strengths
from model_server.server.protocol import EmotionKeys, JobOptions, JobView
from model_server.server.settings import ServerSettings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "openapi.json"
PAGE = ROOT / "docs" / "server_api.md"
_BEGIN, _END = "<!-- written by scripts/write_openapi.py: begin -->", "<!-- end -->"
_REFERENCE = "#/components/schemas/{model}"

_BODIES: dict[str, tuple[type[BaseModel], dict[str, str], dict[str, str]]] = {
    "/v1/jobs": (
        JobOptions,
        {"audio": "the recording: any common audio or video file"},
        {"style": "curves as NPZ to borrow the manner from", "take": "curves as NPZ of the earlier take"},
    ),
    "/v1/captures": (CaptureOptions, {"video": "a video of one face"}, {}),
    "/v1/portraits": (PortraitUpload, {"photo": "the photograph"}, {}),
    "/v1/portrait-jobs": (
        PortraitJobOptions,
        {"curves": "what the portrait does, as NPZ"},
        {"photo": "the photograph, where no portrait is held ready", "sound": "a recording to be heard with it"},
    ),
}
"""Path of each multipart POST to its options, the files that it must hold, and those that it may."""

_ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("/v1/jobs/{job_id}/events", "get"): {
        "application/x-ndjson": {"schema": {"$ref": _REFERENCE.format(model="JobView")}}
    },
    ("/v1/jobs/{job_id}/hold", "get"): {"text/plain": {}},
    ("/v1/jobs/{job_id}/curves", "get"): {"application/octet-stream": {}},
    ("/v1/jobs/{job_id}/file", "get"): {"video/mp4": {}, "video/webm": {}},
    ("/v1/portraits/{portrait_id}/frames", "post"): {"application/octet-stream": {}},
    ("/v1/health", "get"): {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Health")}}},
}
"""Path and method of each answer that is not described by its type."""

_HEALTH = {
    "type": "object",
    "required": ["status", "protocol", "version", "model", "device"],
    "properties": {
        "status": {"type": "string", "const": "ok"},
        "protocol": {"type": "integer", "description": "version of the protocol"},
        "version": {"type": "string", "description": "version of the server"},
        "model": {
            "type": "object",
            "required": ["hash", "loaded", "message"],
            "properties": {
                "hash": {"type": "string", "description": "of the weights; empty until they are loaded"},
                "loaded": {"type": "boolean"},
                "message": {"type": "string", "description": "why they could not be loaded; else empty"},
            },
        },
        "device": {"type": "string", "description": "what computes"},
    },
}
_ERROR = {
    "type": "object",
    "required": ["detail"],
    "properties": {"detail": {"type": "string", "description": "one clear sentence"}},
}
_TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Options of a job", JobOptions),
    ("Emotion over time", EmotionKeys),
    ("State of a job", JobView),
    ("Options of a capture", CaptureOptions),
    ("Options of a photograph that is held ready", PortraitUpload),
    ("A photograph that is held ready", PortraitView),
    ("Options of a portrait video", PortraitJobOptions),
    ("Strengths of a portrait", Strengths),
)


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstring of ``model`` and of its bases say of each attribute."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        text = inspect.cleandoc(owner.__dict__.get("__doc__") or "")
        listed = text.partition("Attributes:\n")[2]
        for name, meaning in re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", listed, re.MULTILINE):
            found[name] = " ".join(meaning.split())
    return found


def _schemas() -> dict[str, Any]:
    """Return the JSON schema of every model by its name, with the meanings of its fields."""
    models = [model for _, model in _TABLES]
    _, document = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    for model in models:
        schema = schemas[model.__name__]
        schema["description"] = inspect.cleandoc(model.__doc__ or "").partition("\n")[0]
        for name, meaning in _meanings(model).items():
            if name in schema["properties"]:
                schema["properties"][name]["description"] = meaning
    return schemas | {"Health": _HEALTH, "Error": _ERROR}


def _body(path: str) -> dict[str, Any] | None:
    if path.endswith("/frames"):
        return {"required": True, "content": {"application/octet-stream": {}}}
    if path not in _BODIES:
        return None
    options, required, optional = _BODIES[path]
    files = {
        name: {"type": "string", "contentMediaType": "application/octet-stream", "description": text}
        for name, text in (required | optional).items()
    }
    schema = {
        "type": "object",
        "required": [*required, "options"],
        "properties": files | {"options": {"$ref": _REFERENCE.format(model=options.__name__)}},
        "additionalProperties": False,
    }
    coded = {"options": {"contentType": "application/json"}}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema, "encoding": coded}}}


def openapi() -> dict[str, Any]:
    """Return the description of the server as an OpenAPI 3.1 document."""
    settings = ServerSettings()
    document: dict[str, Any] = create_app(settings, "", JobQueue(settings)).openapi()
    refusal = {
        "description": "Refused: the sentence says why",
        "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Error")}}},
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "post" and (body := _body(path)):
                operation["requestBody"] = body
            # Every refusal has the one form, those of the framework too.
            operation["responses"].pop("422", None)
            for answer in operation["responses"].values():
                answer["description"] = "Done"
                if (path, method) in _ANSWERS:
                    answer["content"] = _ANSWERS[path, method]
            operation["responses"]["4XX"] = refusal
            if path == "/v1/health":
                operation["security"] = []
    document["security"] = [{"token": []}]
    document["components"] = {
        "schemas": dict(sorted(_schemas().items())),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "from the connection file"}},
    }
    return document


def _kind(schema: dict[str, Any]) -> str:
    """Return in words what a value is."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_kind(choice) for choice in schema.get("anyOf") or schema["oneOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        inner = schema.get("prefixItems")
        return "[" + ", ".join(map(_kind, inner)) + "]" if inner else f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{kind} {low} to {high}" if high is not None else kind


def _table(title: str, schema: dict[str, Any]) -> list[str]:
    lines = [f"### {title}", "", schema["description"].replace("``", "`"), ""]
    lines += ["| name | kind | where it is left out | |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        if name in schema.get("required", ()):
            default = "always there"
        lines.append(f"| `{name}` | {_kind(field)} | {default} | {field.get('description', '')} |")
    return [*lines, ""]


def tables() -> str:
    """Return the routes and the models as Markdown tables."""
    document = openapi()
    lines = ["### Routes", "", "| method and path | body | answer | |", "|---|---|---|---|"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = " ".join(operation.get("requestBody", {}).get("content", ()))
            status, answer = next(iter(operation["responses"].items()))
            kinds = ", ".join(answer.get("content", {})) or "nothing"
            says = " ".join(operation["description"].replace("``", "`").split())
            lines.append(f"| `{method.upper()} {path}` | {body} | {status}: {kinds} | {says} |")
    lines.append("")
    schemas = document["components"]["schemas"]
    for title, model in _TABLES:
        lines += _table(title, schemas[model.__name__])
    return "\n".join(lines)


def contents() -> dict[Path, str]:
    """Return what each file that this script writes should hold."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return {
        DOCUMENT: json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n",
        PAGE: f"{before}{_BEGIN}\n\n{tables()}\n{_END}{after}",
    }


def main() -> None:
    """Write the files."""
    for path, text in contents().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
