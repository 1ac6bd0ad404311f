"""Parts of a rig file: plugins by name with their settings; every problem is collected with its position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.steps import PLUS, names_of
from edgerig.errors import EdgerigError, UnknownNameError, nearest
from edgerig.plugin_names import import_beside, is_class
from edgerig.plugins import Plugin, Settings, find, is_there
from edgerig.rig.addresses import resolve_address
from edgerig.rig.document import Document, Location
from edgerig.rig.types import CompilerChain, Part
from edgerig.rig.usual_way import AS_IT_IS
from edgerig.settings import checked_settings
from edgerig.targets.resolve import plugin_of
from edgerig.text import cut

#: Characters of a problem, which may name what stands in the file.
MOST_TOLD = 2000
#: Settings that name a file or folder: relative ones are resolved against the rig file's folder.
PATH_SETTINGS = frozenset({"root", "file", "path", "weights", "folder", "python"})
#: The setting that names a module of the user's: it is looked for where their classes are.
MODULE_SETTING = "custom"
#: Longest name in characters, addresses included.
MAX_NAME = 1000


class PartReader:
    """Reads parts of one document.

    Attributes:
        problems: What is wrong, one line each.
        folders: Where modules of the user's may lie, besides what is installed.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[str] = []
        #: Where modules of the user's may lie, besides what is installed.
        self.folders: list[Path] = [document.folder] if document.folder is not None else []

    def parts(self, data: Any, noun: str, base: type[Plugin] | None, where: Location) -> tuple[Part, ...]:
        items = data if isinstance(data, list) else [data]
        return tuple(self.part(item, noun, base, (*where, index)) for index, item in enumerate(items))

    def compilers(self, data: Any, where: Location) -> tuple[Part | CompilerChain, ...]:
        items = data if isinstance(data, list) else [data]
        return tuple(self.compiler(item, (*where, index)) for index, item in enumerate(items))

    def compiler(self, data: Any, where: Location) -> Part | CompilerChain:
        """A compiler, or a chain: ``prune+int8``, a list of compilers, or one of these as ``use`` with a ``name``."""
        own = data if isinstance(data, dict) else {"use": data}
        steps, name = own.get("use"), own.get("name")
        try:
            steps = list(names_of(steps)) if isinstance(steps, str) and PLUS in steps else steps
        except EdgerigError as error:
            self.add(where, error)
            return Part("")
        if not isinstance(steps, list):
            return self.part(data, "compiler", ModelCompiler, where)
        for key in own.keys() - {"use", "name"}:
            how = "settings are of a compiler of the chain: use: [{use: prune, share: 0.8}, int8]"
            self.problem((*where, key), f"unknown key {key!r}; {how}")
        if name is not None and (not isinstance(name, str) or not is_name(name)):
            self.problem((*where, "name"), f"must be text, printable and of at most {MAX_NAME} characters")
            name = None
        listed = (*where, "use") if isinstance(data, dict) else where
        parts = self.parts(steps, "compiler", ModelCompiler, listed)
        if not parts or any(part.use == AS_IT_IS for part in parts):
            self.problem(where, f"a chain is of compilers, such as prune+int8; {AS_IT_IS!r} is none")
            return Part("")
        if len(parts) == 1:
            return Part(parts[0].use, parts[0].options, name or parts[0].name)
        return CompilerChain(parts, name)

    def part(self, data: Any, noun: str, base: type[Plugin] | None, where: Location) -> Part:
        if isinstance(data, str):
            data = {"use": data}
        if data is None:
            return Part("")
        if not isinstance(data, dict) or not isinstance(data.get("use"), str):
            near = next((key for key in data if nearest(str(key), ("use",))), None) if isinstance(data, dict) else None
            hint = f"; is {near!r} to be 'use'?" if near not in (None, "use") else ""
            self.problem(where, f"must be a {noun}'s name, or a mapping with 'use' and its settings{hint}")
            return Part("")
        use, name = data["use"], data.get("name")
        if not is_name(use) or not is_name(str(name)):
            self.problem(where, f"a {noun}'s 'use' and 'name' are printable text of at most {MAX_NAME} characters")
            return Part("")
        options = {key: value for key, value in data.items() if key not in ("use", "name")}
        use, options = resolve_address(noun, use, options, self.resolve)
        for key in PATH_SETTINGS & options.keys():
            if isinstance(options[key], str):
                there = self.resolve(options[key])
                # `weights: imagenet` is a name, not a file; only a path that exists is resolved.
                options[key] = there if Path(there).exists() else options[key]
        if not (noun == "compiler" and use == AS_IT_IS):
            try:
                self.look_beside(use)
                self.module(options if (noun, use) == ("runtime", "keras") else {}, where)
                plugin = find(noun, use, base) if base else plugin_of(use)
                self.settings(plugin.Settings, options, f"{noun} {use!r}", where)
            except EdgerigError as error:
                self.add(where, error)
        elif options:
            self.problem(where, "'none' deploys the model's file as it is and has no settings")
        return Part(use, options, str(name) if name is not None else None)

    def module(self, options: dict[str, Any], where: Location) -> None:
        """Let the module that ``custom`` names be found beside the rig file."""
        name = options.get(MODULE_SETTING)
        if not isinstance(name, str):
            return
        setting = (*where, MODULE_SETTING)
        try:
            if name.endswith(".py"):
                self.problem(setting, f"{name!r} is a file; name the module, {Path(name).stem!r}")
            elif not any(import_beside(name, folder) for folder in self.folders) and not is_there(name):
                self.problem(setting, f"there is no module {name!r}; it lies beside the rig file, or on Python's path")
        except EdgerigError as error:
            self.add(setting, error)

    def look_beside(self, name: str) -> None:
        """Let the class ``name`` be found in the first of the folders that has its module."""
        if is_class(name):
            for folder in self.folders:
                if import_beside(name, folder):
                    break

    def settings(self, kind: type[Settings], options: Any, what: str, where: Location) -> Any:
        if not isinstance(options, dict):
            self.problem(where, "must be a mapping")
            return None
        settings, problems = checked_settings(kind, options, what)
        for key, error in problems:
            if isinstance(error, UnknownNameError):
                self.add((*where, error.name), error)
            else:
                # The location already names the part.
                self.problem(where, " ".join(str(error).removeprefix(f"{what}: ").split()), key)
        return settings

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

    def problem(self, where: Location, text: str, key: str | None = None) -> None:
        self.problems.append(": ".join(filter(None, [self.document.where(where, key), cut(text, MOST_TOLD)])))


def is_name(text: str) -> bool:
    """Whether a text can be shown on one line of a terminal or a page; names of folders are checked elsewhere."""
    return len(text) <= MAX_NAME and text.isprintable()
