"""The JSON Schema of rig files, generated from the structs that read them."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.models.base import TrainSettings
from edgerig.models.formats import KerasFileSettings
from edgerig.plugin_names import ADDRESSED, READ_BY_SUFFIX, names
from edgerig.plugins import Plugin, Settings, find
from edgerig.results.gate.limits import METRICS, QUALITY
from edgerig.rig.parts import SUITES
from edgerig.rig.types import Ends, Measure

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_LIST = {"type": "array", "minItems": 1}


def rig_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12), with every registered plugin's settings."""
    definitions = {noun: _part(noun) for noun in ("dataset", "task", "compiler", "runtime")}
    definitions["target"] = _target()
    definitions["model"] = _model()
    rig = _rig()
    single = {"required": ["dataset"], "oneOf": [{"required": ["model"]}, {"required": ["models"]}]}
    # What several rigs have in common may be settings alone, without the name of a dataset.
    shared = {"anyOf": [{"$ref": "#/$defs/dataset"}, {"type": "object", "not": {"required": ["use"]}}]}
    part = {"type": "object", "additionalProperties": False, "properties": {**rig, "dataset": shared}}
    return {
        "$schema": DRAFT,
        "title": "edgerig rig file",
        "type": "object",
        "additionalProperties": False,
        "if": {"required": ["parts"]},
        "then": {"properties": {"dataset": shared}},
        "else": {**single, "properties": {"dataset": rig["dataset"]}, "not": {"required": ["suite"]}},
        "properties": {
            **{**rig, "dataset": {}},
            "parts": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"$ref": "#/$defs/part"},
                "description": "several rigs by name; what stands beside them they have in common",
            },
            "suite": {"enum": list(SUITES), "description": "the table that several rigs end in"},
        },
        "$defs": {**definitions, "block": _block(), "part": part},
    }


def _rig() -> dict[str, Any]:
    """The keys of a rig."""
    return {
        "name": {"type": "string", "description": "what to call the run"},
        "model": {"$ref": "#/$defs/model"},
        "models": {**_LIST, "items": {"$ref": "#/$defs/model"}, "description": "several, instead of one"},
        "dataset": {"$ref": "#/$defs/dataset"},
        "task": {
            "anyOf": [{"$ref": "#/$defs/task"}],
            "description": "what judges instead of the dataset's own task; none for speed alone",
        },
        "matrix": {
            "description": (
                "every compiler with every runtime on every target, block by block; default: the model as it is, "
                "on its usual runtime, on this machine"
            ),
            "anyOf": [{"$ref": "#/$defs/block"}, {"type": "array", "items": {"$ref": "#/$defs/block"}}],
        },
        "measure": _settings(Measure),
        "gate": _gate(),
        "plugin_folders": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "folders with modules of your own classes, besides the rig file's",
        },
    }


def _block() -> dict[str, Any]:
    """A block of the matrix."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["runtimes"],
        "properties": {
            "models": {
                "anyOf": [{"type": "string"}, {**_LIST, "items": {"type": "string"}}],
                "description": "names of models; default: all",
            },
            "compilers": {
                **_LIST,
                "items": {"anyOf": [{"$ref": "#/$defs/compiler"}, _chain()]},
                "description": "compilers, or chains of them such as prune+int8; default: the file as it is",
            },
            "runtimes": {**_LIST, "items": {"$ref": "#/$defs/runtime"}},
            "targets": {**_LIST, "items": {"$ref": "#/$defs/target"}, "description": "default: local"},
            "samples": {
                "type": "integer",
                "minimum": 1,
                "description": "test samples of these cells, where those of 'measure' are too many for a slow device",
            },
        },
    }


def _chain() -> dict[str, Any]:
    """Several compilers, of which each takes what the one before it made."""
    text = {"type": "string", "pattern": r"^[^+]+(\+[^+]+)+$"}
    steps = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/compiler"}}
    named = {
        "type": "object",
        "additionalProperties": False,
        "required": ["use"],
        "properties": {"use": {"anyOf": [text, steps]}, "name": {"type": "string"}},
    }
    return {"anyOf": [text, steps, named]}


def _gate() -> dict[str, Any]:
    limit = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
    limits = {"anyOf": [*limit["anyOf"], {"type": "array", "items": limit}]}
    budgets = {"type": "array", "items": {"type": "string"}, "description": "sentences such as 'latency < 20 ms'"}
    return {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {f"^{QUALITY}.": limits},
        "properties": {**dict.fromkeys(METRICS, limits), "budgets": {"anyOf": [budgets, {"type": "string"}]}},
        "description": (
            "what `edgerig gate` lets a metric become worse by: '5 %', '1 kB', '0.5 points', 0; or a budget: '< 20 ms'"
        ),
    }


def _part(noun: str) -> dict[str, Any]:
    """A name, or ``use`` with the settings of that plugin; a name with a colon is the user's own class,
    a dataset's with a slash an address in a store, or a file by its suffix."""
    known = names(noun)
    extra = ["none"] if noun == "compiler" else []
    pattern = "[:/]" if noun in ADDRESSED else ":"
    pattern = "|".join([pattern, *(rf"\{suffix}$" for suffix in READ_BY_SUFFIX.get(noun, {}))])
    options: list[dict[str, Any]] = [{"enum": known + extra}, {"type": "string", "pattern": pattern}]
    for name in known:
        schema = _settings(find(noun, name, Plugin).Settings)
        schema["properties"] = {"use": {"const": name}, "name": {"type": "string"}, **schema["properties"]}
        schema["required"] = ["use", *schema.get("required", [])]
        options.append(schema)
    own = {"type": "object", "required": ["use"], "properties": {"use": {"type": "string", "pattern": pattern}}}
    return {"anyOf": [*options, own]}


def _target() -> dict[str, Any]:
    address = {
        "type": "string",
        "description": "what `edgerig list targets` shows, such as tcp://HOST:PORT, or package.module:Class",
    }
    long = {"type": "object", "required": ["use"], "properties": {"use": address, "name": {"type": "string"}}}
    return {"anyOf": [address, long]}


def _model() -> dict[str, Any]:
    common = {
        "name": {"type": "string", "description": "what its variants are called by; default: the file's name"},
        "reference": {"type": "string", "description": "float model file to compare predictions with"},
        **_settings(Ends)["properties"],
    }
    own = {
        "type": "object",
        "additionalProperties": False,
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "description": ".keras, .h5, .tflite, .onnx, .pt2, or of a format of a plugin"},
            "format": {
                "type": "string",
                "description": "the plugin that reads the file, as package.module:Class, where it is not installed",
            },
            **common,
            **_settings(KerasFileSettings)["properties"],
        },
    }
    options: list[dict[str, Any]] = [{"type": "string"}, own]
    for name in names("model"):
        schema = _settings(find("model", name, Plugin).Settings)
        schema["properties"] = {
            "use": {"const": name},
            "train": _settings(TrainSettings),
            **common,
            **schema["properties"],
        }
        schema["required"] = ["use", *schema.get("required", [])]
        options.append(schema)
    return {"anyOf": options}


def _settings(kind: type[Settings]) -> dict[str, Any]:
    """The schema of a settings struct, with its references resolved inline."""
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return inline(definitions[value["$ref"].rsplit("/", 1)[-1]])
            return {key: inline(item) for key, item in value.items()}
        return [inline(item) for item in value] if isinstance(value, list) else value

    result: dict[str, Any] = inline(schema)
    result.setdefault("properties", {})
    return result
