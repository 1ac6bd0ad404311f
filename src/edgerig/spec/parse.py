"""From a document to a `Rig`: every problem is collected, so that one reading mends them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError, SpecError, UnknownNameError, nearest
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugins import Plugin, Settings, convert_settings, find
from edgerig.runtimes.base import Runtime
from edgerig.spec.document import Document, Location
from edgerig.spec.types import Block, Measure, ModelPart, Part, Rig
from edgerig.targets.resolve import plugin_of

KEYS = ("name", "model", "dataset", "matrix", "measure")
BLOCK_KEYS = ("compilers", "runtimes", "targets", "samples")
MODEL_KEYS = ("use", "file", "train", "reference")
#: Settings that name a file or folder: relative ones start at the rig file's folder.
PATH_SETTINGS = frozenset({"root", "file", "path", "weights", "folder"})
#: The compiler entry that deploys the model's own file as it is.
AS_IT_IS = "none"


def parse_rig(document: Document) -> Rig:
    """The rig that a document describes.

    Raises:
        SpecError: With every problem found, one a line, each with its place in the file.
    """
    reader = _Reader(document)
    rig = reader.rig(document.data)
    if reader.problems:
        count = len(reader.problems)
        what = "1 problem" if count == 1 else f"{count} problems"
        raise SpecError(f"{document.name} has {what}:\n" + "\n".join(f"  - {p}" for p in reader.problems))
    return rig


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[str] = []

    def rig(self, data: dict[str, Any]) -> Rig:
        self.known_keys(data, KEYS, ())
        for key in ("model", "dataset", "matrix"):
            if data.get(key) is None:
                self.problem((), f"the key {key!r} is missing")
        name = data.get("name", Path(self.document.name).stem)
        if not isinstance(name, str):
            self.problem(("name",), "must be text")
        elif "/" in name or name in ("", ".", ".."):
            self.problem(("name",), f"{name!r} cannot be the name of the run's folder; leave out '/'")
        return Rig(
            name=str(name),
            model=self.model(data.get("model")),
            dataset=self.part(data.get("dataset"), "dataset", Dataset, ("dataset",)),
            matrix=self.matrix(data.get("matrix")),
            measure=self.settings(Measure, data.get("measure") or {}, "measure", ("measure",)),
        )

    def model(self, data: Any) -> ModelPart:
        where: Location = ("model",)
        if data is None:
            return ModelPart()
        if isinstance(data, str):
            data = {"file": data} if Path(data).suffix else {"use": data}
        if not isinstance(data, dict):
            self.problem(where, "must be a model's name, or a mapping with 'use' or 'file'")
            return ModelPart()
        use, file, train = data.get("use"), data.get("file"), data.get("train") or {}
        if (use is None) == (file is None):
            self.problem(where, "needs either 'use' (a registered model) or 'file' (your own), and not both")
            return ModelPart()
        options = {key: value for key, value in data.items() if key not in MODEL_KEYS}
        if file is not None:
            self.known_keys(data, MODEL_KEYS, where)
            if train:
                self.problem(
                    (*where, "train"), "a model file is taken as it is; only a model named by 'use' is trained"
                )
            path = self.resolve(str(file))
            if not Path(path).is_file():
                self.problem((*where, "file"), f"there is no file {path}")
            return ModelPart(file=path, reference=self.reference(data.get("reference"), where))
        part = self.part({"use": use, **options}, "model", ModelWrapper, where)
        self.settings(TrainSettings, train, "model.train", (*where, "train"))
        return ModelPart(use=part.use, options=part.options, train=train if isinstance(train, dict) else {})

    def reference(self, file: Any, where: Location) -> str | None:
        if file is None:
            return None
        path = self.resolve(str(file))
        if not Path(path).is_file():
            self.problem((*where, "reference"), f"there is no file {path}")
        return path

    def matrix(self, data: Any) -> tuple[Block, ...]:
        if data is None:
            return ()
        blocks = data if isinstance(data, list) else [data]
        if not blocks:
            self.problem(("matrix",), "is empty: name at least one runtime")
        return tuple(
            self.block(block, ("matrix", index) if isinstance(data, list) else ("matrix",))
            for index, block in enumerate(blocks)
        )

    def block(self, data: Any, where: Location) -> Block:
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
        return Block(
            compilers=self.parts(data.get("compilers") or [AS_IT_IS], "compiler", ModelCompiler, (*where, "compilers")),
            runtimes=self.parts(data.get("runtimes") or [], "runtime", Runtime, (*where, "runtimes")),
            targets=self.parts(data.get("targets") or ["local"], "target", None, (*where, "targets")),
            samples=samples,
        )

    def parts(self, data: Any, noun: str, base: type[Plugin] | None, where: Location) -> tuple[Part, ...]:
        items = data if isinstance(data, list) else [data]
        return tuple(self.part(item, noun, base, (*where, index)) for index, item in enumerate(items))

    def part(self, data: Any, noun: str, base: type[Plugin] | None, where: Location) -> Part:
        if isinstance(data, str):
            data = {"use": data}
        if data is None:
            return Part("")
        if not isinstance(data, dict) or not isinstance(data.get("use"), str):
            self.problem(where, f"must be a {noun}'s name, or a mapping with 'use' and its settings")
            return Part("")
        use, name = data["use"], data.get("name")
        options = {key: value for key, value in data.items() if key not in ("use", "name")}
        for key in PATH_SETTINGS & options.keys():
            if isinstance(options[key], str):
                there = self.resolve(options[key])
                # `weights: imagenet` is a name, not a file; only what exists is taken for a path.
                options[key] = there if Path(there).exists() else options[key]
        if not (noun == "compiler" and use == AS_IT_IS):
            try:
                plugin = find(noun, use, base) if base else plugin_of(use)
                self.settings(plugin.Settings, options, f"{noun} {use!r}", where)
            except EdgerigError as error:
                self.add(where, error)
        elif options:
            self.problem(where, "'none' deploys the model's file as it is and has no settings")
        return Part(use, options, str(name) if name is not None else None)

    def settings(self, kind: type[Settings], options: Any, what: str, where: Location) -> Any:
        if not isinstance(options, dict):
            self.problem(where, "must be a mapping")
            return None
        try:
            return convert_settings(kind, options, what)
        except UnknownNameError as error:
            self.add((*where, error.name), error)
        except EdgerigError as error:
            # The place says already what it is about.
            self.problem(where, " ".join(str(error).removeprefix(f"{what}: ").split()))
        return None

    def known_keys(self, data: dict[str, Any], known: tuple[str, ...], where: Location) -> None:
        for key in data:
            if key not in known:
                near = nearest(key, known)
                hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
                self.problem((*where, key), f"unknown key {key!r}; {hint}")

    def resolve(self, path: str) -> str:
        folder = self.document.folder
        return str(folder / path) if folder is not None and not Path(path).expanduser().is_absolute() else path

    def add(self, where: Location, error: EdgerigError) -> None:
        self.problem(where, " ".join(str(error).split()))

    def problem(self, where: Location, text: str) -> None:
        self.problems.append(f"{self.document.where(where)}: {text}")


def rig_to_builtins(rig: Rig) -> dict[str, Any]:
    """Plain values of a rig, for hashing and for the bundle."""
    result: dict[str, Any] = msgspec.to_builtins(rig)
    return result


def rig_to_yaml(rig: Rig) -> str:
    """A rig file that describes the same rig, with every ``--set`` applied and every path absolute."""
    model = {"use": rig.model.use, "file": rig.model.file, "reference": rig.model.reference, "train": rig.model.train}
    data = {
        "name": rig.name,
        "model": {key: value for key, value in model.items() if value} | rig.model.options,
        "dataset": _entry(rig.dataset),
        "matrix": [_block_entry(block) for block in rig.matrix],
        "measure": msgspec.to_builtins(rig.measure),
    }
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return text


def _block_entry(block: Block) -> dict[str, Any]:
    parts = {key: [_entry(part) for part in getattr(block, key)] for key in ("compilers", "runtimes", "targets")}
    return parts | ({"samples": block.samples} if block.samples is not None else {})


def _entry(part: Part) -> str | dict[str, Any]:
    if not part.options and part.name is None:
        return part.use
    return {"use": part.use, **({"name": part.name} if part.name else {}), **part.options}
