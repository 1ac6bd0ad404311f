"""The models of a rig file: files of the user's, or registered ones; every problem is collected with its position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgerig import formats
from edgerig.errors import EdgerigError, nearest
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugin_names import is_class
from edgerig.plugins import Settings
from edgerig.results.variant_names import distinct_names, id_part
from edgerig.rig.document import Location
from edgerig.rig.part_reader import MAX_NAME, PartReader, is_name
from edgerig.rig.types import Ends, ModelPart

MODEL_KEYS = ("use", "file", "format", "train", "reference", "name", *Ends.__struct_fields__)


class ModelReader(PartReader):
    """Reads the models of one document."""

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
        self.one_source(data, where)
        name = self.model_name(data.get("name"), where)
        said = {key: data[key] for key in Ends.__struct_fields__ if data.get(key) is not None}
        ends = self.settings(Ends, said, "model", where) or Ends()
        read = self.registered_model if data.get("file") is None else self.model_file
        return read(data, name, ends, where)

    def one_source(self, data: dict[str, Any], where: Location) -> None:
        """Refuse a model with neither or both of ``use`` and ``file``."""
        use, file = data.get("use"), data.get("file")
        if (use is None) == (file is None):
            misspelt = use is None and any(nearest(str(key), ("use", "file")) for key in data if key not in MODEL_KEYS)
            if use is None:
                self.known_keys(data, MODEL_KEYS, where)
            if not misspelt:
                self.problem(where, "needs either 'use' (a registered model) or 'file' (your own), and not both")

    def model_name(self, name: Any, where: Location) -> str | None:
        if name is not None and (not isinstance(name, str) or not name.strip() or not is_name(name)):
            self.problem((*where, "name"), f"must be text, printable and of at most {MAX_NAME} characters")
            return None
        return name

    def model_file(self, data: dict[str, Any], name: str | None, ends: Ends, where: Location) -> ModelPart:
        """A model that is the user's file."""
        use, options = data.get("use"), _options(data)
        if data.get("train") and use is None:
            self.problem((*where, "train"), "a model file is taken as it is; only a model named by 'use' is trained")
        if not isinstance(data["file"], str):
            self.problem((*where, "file"), "must be text: the path of a model file")
            return ModelPart()
        path = self.resolve(data["file"])
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

    def registered_model(self, data: dict[str, Any], name: str | None, ends: Ends, where: Location) -> ModelPart:
        """A model that a plugin builds and trains."""
        use, train = data.get("use"), data.get("train") or {}
        self.settings(TrainSettings, train, "model.train", (*where, "train"))
        if use is None:
            return ModelPart()
        if data.get("format") is not None:
            self.problem((*where, "format"), "is of a model's file; a model named by 'use' has that of its framework")
        part = self.part({"use": use, **_options(data)}, "model", ModelWrapper, where)
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


def _options(data: dict[str, Any]) -> dict[str, Any]:
    """The settings of a model's plugin, or of its file's format."""
    return {key: value for key, value in data.items() if key not in MODEL_KEYS}
