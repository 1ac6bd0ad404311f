"""Names of files that Python code computes, as patterns: ``f"tables/{size}.json"`` is ``tables/*.json``.

What a pattern matches beside a module counts as if the module named it: which of the files is read is known only when
the code runs. So does all below a folder that it names. What the code says it writes does not.
"""

from __future__ import annotations

import ast
import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from edgerig import files
from edgerig.linked_folders import folders_below
from edgerig.own_folder import OWN_FILES, OWN_TREE

#: Calls that join paths, besides the operator ``/``.
JOINS = frozenset({"join", "joinpath", "Path", "PurePath", "with_name"})
#: Calls that look for files by a pattern, in a folder or in all below it.
_SEARCHES = {"glob": "", "iglob": "", "rglob": "**/"}
#: Calls that give a path another suffix, which is the last of so many arguments: as a table that is called as its
#: module is.
_SUFFIXES = {"with_suffix": 1, "replace": 2}
#: Calls that make what they are called of, or with.
_WRITES = frozenset(
    {
        "write_text", "write_bytes", "mkdir", "makedirs", "touch", "unlink", "rmtree", "savefig", "save", "savez",
        "savez_compressed", "savetxt", "to_csv", "to_parquet", "imsave", "imwrite",
    }
)  # fmt: skip
#: What a pattern may look like: sentences with gaps are none.
_PATTERN = re.compile(r"[\w.*/+@~-]+")
_FORMATTED = re.compile(r"%[-+0 #]*\d*(?:\.\d+)?[sdifgexr]|\{[^{}]*\}")
#: Most files of a folder or pattern, and bytes of them, that are read: of more, size and times count.
MOST_FILES, MOST_BYTES = 2_000, 64 << 20
#: Most files of a folder that are looked at at all.
_MOST_SEEN = 50_000
#: Folders whose content is made by runs, and says nothing about code: bundles, bytecode.
_MADE = ("bundle.json", "results.json")


def pattern_at(node: ast.AST) -> str | None:
    """The pattern of a path at a node of a syntax tree, without computed folders in front; None where it is none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = [_text(part) for part in _divided(node)]
    elif isinstance(node, ast.Call) and _called(node) in JOINS:
        parts = [_text(part) for part in node.args]
    elif isinstance(node, ast.Call) and _called(node) in _SEARCHES and node.args:
        text = _text(node.args[0])
        parts = [_SEARCHES[_called(node)] + text] if any(mark in text for mark in ".*/") else []
    elif isinstance(node, ast.Call) and _called(node) in _SUFFIXES and len(node.args) == _SUFFIXES[_called(node)]:
        suffix = _text(node.args[-1])
        parts = [f"*{suffix}"] if suffix.startswith(".") else []
    elif isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call):
        text = _text(node)
        parts = [text] if "*" in text and ("." in text or "/" in text) else []
    else:
        return None
    pattern = re.sub(r"\*{3,}", "*", "/".join(parts))
    while pattern.startswith("*/"):
        pattern = pattern[2:]
    named = any(char.isalnum() for char in pattern) and ".." not in pattern and not pattern.startswith(("/", "~"))
    return pattern if named and len(pattern) <= 400 and _PATTERN.fullmatch(pattern) else None


def writes(node: ast.AST) -> bool:
    """Whether a call makes the files that are named in it."""
    if not isinstance(node, ast.Call):
        return False
    if _called(node) == "open":
        # The mode of the function is its second argument, that of a path's method its first.
        given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        modes = [value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        return any(re.fullmatch(r"[wax]b?t?\+?", mode) for mode in modes)
    return _called(node) in _WRITES


def matching(patterns: Iterable[str], folder: Path) -> dict[str, Path]:
    """The files and folders beside a module that patterns of it match, by their names; of a package also beside it."""
    folders = [("", folder), *([("../", folder.parent)] if (folder / "__init__.py").is_file() else [])]
    paths: dict[str, Path] = {}
    for pattern in sorted(patterns):
        for where, base in folders:
            if pattern in (OWN_FILES, OWN_TREE):
                paths |= _own(pattern, folder)
                break
            matches = [match for match in _matches(pattern, base) if not _is_made(base / match)]
            if len(matches) > MOST_FILES:
                matches = [pattern.partition("*")[0].rpartition("/")[0]]
            if matches:
                paths |= {f"{where}{match}" or ".": base / match for match in matches}
                break
    return paths


def _own(pattern: str, folder: Path) -> dict[str, Path]:
    """The files of a module's own folder, or the folder with all below it; not what runs log there."""
    if pattern == OWN_TREE:
        return {".": folder}
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    names = [name for name in names if not name.startswith(".") and not name.endswith((".pyc", ".log"))]
    return {name: folder / name for name in names} if len(names) <= MOST_FILES else {".": folder}


def _matches(pattern: str, base: Path) -> list[str]:
    head, anywhere, _ = pattern.partition("**/")
    if anywhere:
        last = pattern.rpartition("/")[2]
        return [head + name for name in _below(base / head) if fnmatch.fnmatchcase(name.rpartition("/")[2], last)]
    return sorted(glob.glob(pattern, root_dir=base))  # noqa: PTH207 - which takes a root


def files_below(path: Path) -> list[Path]:
    """``path`` itself if it is a file, else the files below it."""
    return [path / name for name in sorted(_below(path))] if path.is_dir() else [path]


def content_sums(named: Mapping[str, Path]) -> dict[str, str | None]:
    """`content_sum` of each path; once they have read much data together, of the sizes and times of the others."""
    sums: dict[str, str | None] = {}
    left = MOST_BYTES
    for name, path in named.items():
        size = path.stat().st_size if path.is_file() else 0
        left -= size
        sums[name] = content_sum(path) if left >= 0 else _state(path)
    return sums


def content_sum(path: Path) -> str | None:
    """A digest of a file, or of all below a folder, links followed; of much data of the sizes and times of its files.
    None where there is nothing that can be read."""
    try:
        if not path.is_dir():
            return files.sha256_file(path) if path.stat().st_size <= MOST_BYTES else _state(path)
        inside = sorted(_below(path))
        states = [(name, os.stat(path / name)) for name in inside]  # noqa: PTH116
        if len(states) > MOST_FILES or sum(state.st_size for _, state in states) > MOST_BYTES:
            return files.digest([[name, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for name, s in states])
        return files.digest([[name, files.sha256_file(path / name)] for name in inside])
    except OSError:
        return None


def _state(path: Path) -> str | None:
    """A digest of a file's size and times, or of a folder as `content_sum` has it."""
    if path.is_dir():
        return content_sum(path)
    try:
        state = path.stat()
    except OSError:
        return None
    return files.digest([state.st_size, state.st_mtime_ns, state.st_ctime_ns])


def _below(folder: Path) -> Iterator[str]:
    """The files below a folder by their names there."""
    count = 0
    for where, inner, names in folders_below(folder):
        if any(name in names for name in _MADE):
            inner[:] = []
            continue
        inner[:] = [name for name in inner if not name.startswith(".") and name != "__pycache__"]
        for name in sorted(names):
            path = where / name
            if not name.endswith(".pyc") and path.is_file():
                count += 1
                if count > _MOST_SEEN:
                    return
                yield str(path.relative_to(folder))


def _is_made(path: Path) -> bool:
    return path.name == "__pycache__" or any((path / name).is_file() for name in _MADE)


def _text(node: ast.expr) -> str:
    """A text with ``*`` for what is computed."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "*"
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _FORMATTED.sub("*", _text(node.left))
    if isinstance(node, ast.Call) and _called(node) == "format" and isinstance(node.func, ast.Attribute):
        return _FORMATTED.sub("*", _text(node.func.value))
    if isinstance(node, ast.Call) and _called(node) == "str" and node.args:
        return _text(node.args[0])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return "/".join(map(_text, _divided(node)))
    return "*"


def _divided(node: ast.expr) -> list[ast.expr]:
    """The operands of ``a / b / c``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [*_divided(node.left), node.right]
    return [node]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
