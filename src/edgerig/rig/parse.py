"""From a document to a `Rig`: all problems are collected and reported at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError, SpecError, nearest
from edgerig.results.gate.limits import Limit, parse_limits
from edgerig.rig.document import Document, Location
from edgerig.rig.model_reader import ModelReader
from edgerig.rig.part_reader import MAX_NAME, is_name
from edgerig.rig.types import Block, Measure, ModelPart, Part, Rig
from edgerig.rig.usual_way import AS_IT_IS, format_of_model, usual_way
from edgerig.runtimes.base import Runtime
from edgerig.tasks.base import Task

KEYS = ("name", "model", "models", "dataset", "task", "matrix", "measure", "gate", "plugin_folders")
BLOCK_KEYS = ("models", "compilers", "runtimes", "targets", "samples")
#: Largest number of problems in one message.
MAX_PROBLEMS = 50


def parse_rig(document: Document) -> Rig:
    """The rig of a document.

    Raises:
        SpecError: Lists every problem, one per line, each with its position in the file.
    """
    if isinstance(document.data.get("steps"), dict) and "matrix" not in document.data:
        raise SpecError(f"{document.name} is a workflow, and no rig file.", "edgerig workflow run FILE runs its steps.")
    reader = _Reader(document)
    rig = reader.rig(document.data)
    if reader.problems:
        count = len(reader.problems)
        what = "1 problem" if count == 1 else f"{count} problems"
        more = f"\n  - and {count - MAX_PROBLEMS:,} more" if count > MAX_PROBLEMS else ""
        listed = "\n".join(f"  - {problem}" for problem in reader.problems[:MAX_PROBLEMS])
        if document.is_file or count > 1:
            raise SpecError(f"{document.name} has {what}:\n{listed}{more}")
        raise SpecError(reader.problems[0])
    return rig


class _Reader(ModelReader):
    def rig(self, data: dict[str, Any]) -> Rig:
        self.known_keys(data, KEYS, ())
        if data.get("dataset") is None:
            self.problem((), "the key 'dataset' is missing")
        self.folders += self.plugin_folders(data.get("plugin_folders"))
        name = data.get("name", Path(self.document.name).stem)
        if not isinstance(name, str):
            self.problem(("name",), "must be text")
        elif "/" in name or name in ("", ".", "..") or not is_name(name):
            self.problem(
                ("name",),
                f"{name[:80]!r} cannot be the name of the run's folder: it takes 1 to {MAX_NAME} characters that are "
                "printed, and no '/'",
            )
        models = self.models(data)
        return Rig(
            name=str(name),
            models=models,
            dataset=self.part(data.get("dataset"), "dataset", Dataset, ("dataset",)),
            task=self.part(data["task"], "task", Task, ("task",)) if data.get("task") is not None else None,
            matrix=self.usual_matrix(models)
            if data.get("matrix") is None
            else self.matrix(data["matrix"], [model.label for model in models]),
            measure=self.settings(Measure, data.get("measure") or {}, "measure", ("measure",)),
            gate=self.gate(data.get("gate")),
        )

    def plugin_folders(self, data: Any) -> list[Path]:
        """Folders with modules of classes that the rig names, after its own; one that is gone is a problem."""
        listed = [] if data is None else data if isinstance(data, list) else [data]
        if not all(isinstance(item, str) for item in listed):
            self.problem(("plugin_folders",), "must be a folder, or a list of folders")
            return []
        folders = [Path(self.resolve(item)) for item in listed]
        for index, folder in enumerate(folders):
            if not folder.is_dir():
                self.problem(("plugin_folders", index), f"there is no folder {folder}")
        return [folder.resolve() for folder in folders]

    def gate(self, data: Any) -> tuple[Limit, ...] | None:
        """The limits of `edgerig gate`; a problem is added for each invalid one."""
        if data is None:
            return None
        if not isinstance(data, dict):
            self.problem(("gate",), "must be a mapping from metrics to limits: latency: 5 %")
            return None
        limits: list[Limit] = []
        for name, value in data.items():
            for each in value if isinstance(value, list) else [value]:
                try:
                    limits += parse_limits({name: each})
                except SpecError as error:
                    self.problem(("gate", str(name)), " ".join(filter(None, [error.message, error.hint])))
        return tuple(limits)

    def usual_matrix(self, models: tuple[ModelPart, ...]) -> tuple[Block, ...]:
        """The default matrix: each model on the default runtime of its format, on this machine; a model that no runtime
        loads directly, such as Keras, after the compiler that its format names."""
        blocks = []
        for model in models:
            if not model.use and not model.file:
                continue
            try:
                compiler, runtime = usual_way(format_of_model(model))
            except EdgerigError as error:
                self.add(("model",), error)
                continue
            chosen = (model.label,) if len(models) > 1 else ()
            blocks.append(Block((Part(compiler),), (Part(runtime),), (Part("local"),), models=chosen))
        return tuple(blocks)

    def matrix(self, data: Any, models: list[str]) -> tuple[Block, ...]:
        blocks = data if isinstance(data, list) else [data]
        if not blocks:
            self.problem(("matrix",), "is empty: name at least one runtime")
        return tuple(
            self.block(block, ("matrix", index) if isinstance(data, list) else ("matrix",), models)
            for index, block in enumerate(blocks)
        )

    def block(self, data: Any, where: Location, models: list[str]) -> Block:
        if not isinstance(data, dict):
            self.problem(where, f"must be a mapping with the keys {', '.join(BLOCK_KEYS)}")
            return Block((), (), ())
        self.known_keys(data, BLOCK_KEYS, where)
        if not data.get("runtimes"):
            self.problem(where, "the key 'runtimes' is missing or empty")
        samples = data.get("samples")
        if samples is not None and (not isinstance(samples, int) or isinstance(samples, bool) or samples < 1):
            self.problem((*where, "samples"), "must be a whole number, at least 1")
            samples = None
        wanted = self.chosen_models(data.get("models"), models, (*where, "models"))
        return Block(
            models=wanted,
            compilers=self.compilers(data.get("compilers") or [AS_IT_IS], (*where, "compilers")),
            runtimes=self.parts(data.get("runtimes") or [], "runtime", Runtime, (*where, "runtimes")),
            targets=self.parts(data.get("targets") or ["local"], "target", None, (*where, "targets")),
            samples=samples,
        )

    def chosen_models(self, data: Any, models: list[str], where: Location) -> tuple[str, ...]:
        """The models of a block, by name; empty means all."""
        if data is None:
            return ()
        wanted = data if isinstance(data, list) else [data]
        if not wanted:
            self.problem(where, "is empty: leave it out for all models")
        for name in wanted:
            if name not in models:
                near = nearest(str(name), models)
                hint = f"did you mean {near!r}?" if near else f"models: {', '.join(models)}"
                self.problem(where, f"there is no model {name!r}; {hint}")
        return tuple(str(name) for name in wanted)
