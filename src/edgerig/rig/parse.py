"""From a document to a `Rig`: all problems are collected and reported at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgerig import formats
from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError, SpecError, nearest
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugins import Settings, is_class
from edgerig.results.gate.limits import Limit, parse_limits
from edgerig.results.variant_names import distinct_names, id_part
from edgerig.rig.document import Document, Location
from edgerig.rig.part_reader import MAX_NAME, PartReader, is_name
from edgerig.rig.types import Block, Ends, Measure, ModelPart, Part, Rig
from edgerig.rig.usual_way import AS_IT_IS, format_of_model, usual_way
from edgerig.runtimes.base import Runtime
from edgerig.tasks.base import Task

KEYS = ("name", "model", "models", "dataset", "task", "matrix", "measure", "gate", "plugin_folders")
BLOCK_KEYS = ("models", "compilers", "runtimes", "targets", "samples")
MODEL_KEYS = ("use", "file", "format", "train", "reference", "name", *Ends.__struct_fields__)
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


class _Reader(PartReader):
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

    def models(self, data: dict[str, Any]) -> tuple[ModelPart, ...]:
        """The models of `model`, or of `models` as a list; each gets a unique name."""
        listed = data.get("models")
        if (listed is None) == (data.get("model") is None):
            what = "both 'model' and 'models' are given: put all into 'models'"
            self.problem((), what if listed is not None else "the key 'model' (or 'models', a list) is missing")
            if listed is None:
                return ()
        if listed is None:
            return (self.model(data["model"], ("model",)),)
        if not isinstance(listed, list) or not listed:
            self.problem(("models",), "must be a list of models, at least one")
            return ()
        parts = [self.model(item, ("models", index)) for index, item in enumerate(listed)]
        return self.named(parts)

    def named(self, parts: list[ModelPart]) -> tuple[ModelPart, ...]:
        """The models with unique names; those that the user gave stay."""
        files = [part.file for part in parts if part.file and not part.name]
        names = dict(zip(files, distinct_names(files), strict=True))
        labelled = [
            msgspec.structs.replace(part, name=names[part.file])
            if part.file and not part.name and names[part.file] != part.label
            else part
            for part in parts
        ]
        for index, part in enumerate(labelled):
            earlier = [other for other in labelled[:index] if id_part(other.label) == id_part(part.label)]
            if (part.use or part.file) and earlier:
                again = part.file is not None and part.file == earlier[0].file
                what = "stands there twice; leave one out" if again else "is the name of two; give one of them a 'name'"
                self.problem(("models", index), f"{part.label!r} {what}")
        return tuple(labelled)

    def model(self, data: Any, where: Location) -> ModelPart:
        if isinstance(data, str):
            data = {"file": data} if Path(data).suffix and not is_class(data) else {"use": data}
        if not isinstance(data, dict):
            self.problem(where, "must be a model's name, or a mapping with 'use' or 'file'")
            return ModelPart()
        use, file, train = data.get("use"), data.get("file"), data.get("train") or {}
        if (use is None) == (file is None):
            misspelt = use is None and any(nearest(str(key), ("use", "file")) for key in data if key not in MODEL_KEYS)
            if use is None:
                self.known_keys(data, MODEL_KEYS, where)
            if not misspelt:
                self.problem(where, "needs either 'use' (a registered model) or 'file' (your own), and not both")
        name = data.get("name")
        if name is not None and (not isinstance(name, str) or not name.strip() or not is_name(name)):
            self.problem((*where, "name"), f"must be text, printable and of at most {MAX_NAME} characters")
            name = None
        options = {key: value for key, value in data.items() if key not in MODEL_KEYS}
        said = {key: data[key] for key in Ends.__struct_fields__ if data.get(key) is not None}
        ends = self.settings(Ends, said, "model", where) or Ends()
        if file is not None:
            if train and use is None:
                self.problem(
                    (*where, "train"), "a model file is taken as it is; only a model named by 'use' is trained"
                )
            path = self.resolve(str(file))
            if not Path(path).exists():
                self.problem((*where, "file"), f"there is no file {path}")
            format = self.format(data.get("format"), path, where)
            self.shapes(ends, path, where)
            if use is None:
                self.file_options(data, options, path, where)
            return ModelPart(
                file=path,
                options=options,
                reference=self.reference(data.get("reference"), where),
                name=name,
                ends=ends,
                format=format,
            )
        self.settings(TrainSettings, train, "model.train", (*where, "train"))
        if use is None:
            return ModelPart()
        if data.get("format") is not None:
            self.problem((*where, "format"), "is of a model's file; a model named by 'use' has that of its framework")
        part = self.part({"use": use, **options}, "model", ModelWrapper, where)
        return ModelPart(
            use=part.use,
            options=part.options,
            train=train if isinstance(train, dict) else {},
            name=name,
            reference=self.reference(data.get("reference"), where),
            ends=ends,
        )

    def format(self, reference: Any, file: str, where: Location) -> str | None:
        """The plugin that reads ``file``, loaded so that its suffix is known."""
        if reference is None:
            return None
        try:
            self.look_beside(str(reference))
            suffixes = formats.load(str(reference)).suffixes
            if Path(file).suffix.lower() not in suffixes:
                self.problem((*where, "format"), f"{reference} reads {', '.join(suffixes)} and not {Path(file).name}")
        except EdgerigError as error:
            self.add((*where, "format"), error)
        return str(reference)

    def shapes(self, ends: Ends, file: str, where: Location) -> None:
        """Refuse shapes of a file whose format leaves no axes free."""
        try:
            kind = formats.format_of(Path(file))
        except EdgerigError:
            return  # the plan says what the file is
        if ends.shapes and not kind.free_axes:
            what = f"{Path(file).name} is a {kind.name} file, whose shapes are fixed: leave them out"
            self.problem((*where, "shapes"), what)

    def file_options(self, data: dict[str, Any], options: dict[str, Any], file: str, where: Location) -> None:
        """Check the ``options`` of a model's file, which are settings of its format."""
        try:
            kind = formats.format_of(Path(file)).Settings
        except EdgerigError:
            kind = Settings  # the plan says what the file is
        self.known_keys(data, (*MODEL_KEYS, *kind.__struct_encode_fields__), where)
        known = {key: value for key, value in options.items() if key in kind.__struct_encode_fields__}
        self.settings(kind, known, "model", where)
        self.module(options, where)

    def reference(self, file: Any, where: Location) -> str | None:
        if file is None:
            return None
        path = self.resolve(str(file))
        if not Path(path).exists():
            self.problem((*where, "reference"), f"there is no file {path}")
        return path

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
