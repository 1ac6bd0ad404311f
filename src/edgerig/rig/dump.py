"""From a `Rig` back to plain values, and to a rig file that describes the same."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from edgerig.plugin_code import folder_of
from edgerig.plugin_names import is_class
from edgerig.results.gate.limits import Limit
from edgerig.rig.types import Block, CompilerChain, Measure, ModelPart, Part, Rig


def rig_to_builtins(rig: Rig) -> dict[str, Any]:
    """Plain values of a rig, for hashing and for the bundle; without its gate, which changes nothing measured."""
    result: dict[str, Any] = msgspec.to_builtins(rig)
    del result["gate"]
    return result


def rig_to_yaml(rig: Rig) -> str:
    """A rig file that describes the same rig, with every ``--set`` applied and every path absolute.

    Classes of the user's that are not installed were imported from a folder, such as that of the first rig file: it is
    named, so that they are found again from wherever this file lies.
    """
    models = [_model_entry(part) for part in rig.models]
    folders = _plugin_folders(rig)
    data = {
        "name": rig.name,
        **({"plugin_folders": folders} if folders else {}),
        **({"model": models[0]} if len(models) == 1 else {"models": models}),
        "dataset": _entry(rig.dataset),
        **({"task": _entry(rig.task)} if rig.task is not None else {}),
        "matrix": [_block_entry(block) for block in rig.matrix],
        "measure": _measure_entry(rig.measure),
        **({"gate": _gate_entry(rig.gate)} if rig.gate is not None else {}),
    }
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return text


def _plugin_folders(rig: Rig) -> list[str]:
    parts = [
        rig.dataset,
        *([rig.task] if rig.task is not None else []),
        *(step for block in rig.matrix for compiler in block.compilers for step in compiler.steps),
        *(part for block in rig.matrix for part in (*block.runtimes, *block.targets)),
    ]
    names = {part.use for part in parts} | {part.use or part.format or "" for part in rig.models}
    settings = [*(part.options for part in parts if part.use == "keras"), *(part.options for part in rig.models)]
    modules = {str(options["custom"]) for options in settings if options.get("custom")}
    folders = {folder_of(name) for name in names if is_class(name)} | set(map(folder_of, modules))
    return sorted(str(folder) for folder in folders if folder is not None)


def _gate_entry(limits: tuple[Limit, ...]) -> dict[str, list[str]]:
    entry: dict[str, list[str]] = {}
    for limit in limits:
        entry.setdefault(limit.metric, []).append(limit.text)
    return entry


def _measure_entry(measure: Measure) -> dict[str, Any]:
    entry: dict[str, Any] = msgspec.to_builtins(measure)
    bound = measure.bound_seconds
    return entry | ({"latency_bound": f"{bound!r} s"} if bound is not None else {})


def _model_entry(part: ModelPart) -> dict[str, Any]:
    keys = ("name", "use", "file", "format", "reference", "train")
    ends = {key: value for key, value in msgspec.to_builtins(part.ends).items() if value}
    return {key: value for key in keys if (value := getattr(part, key))} | ends | part.options


def _block_entry(block: Block) -> dict[str, Any]:
    chosen = {"models": list(block.models)} if block.models else {}
    parts: dict[str, Any] = chosen | {
        key: [_entry(part) for part in getattr(block, key)] for key in ("compilers", "runtimes", "targets")
    }
    return parts | ({"samples": block.samples} if block.samples is not None else {})


def _entry(part: Part | CompilerChain) -> str | list[Any] | dict[str, Any]:
    if isinstance(part, CompilerChain):
        steps = [_entry(step) for step in part.steps]
        return {"use": steps, "name": part.name} if part.name else steps
    if not part.options and part.name is None:
        return part.use
    return {"use": part.use, **({"name": part.name} if part.name else {}), **part.options}
