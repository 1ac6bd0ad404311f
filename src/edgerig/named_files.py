"""What Python code names in constants: modules that it imports; files, such as a table beside a module, a script that
it runs, a file it opens; and environment variables.

A path counts as far as it is a constant: a text with a dot or a slash that is the name of a file, and the constant
end of a path that is computed, as in ``Path(__file__).parent / "tables" / "widths.json"``. Of names that are computed
themselves `edgerig.computed_names` makes patterns.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgerig import computed_names, files, own_folder
from edgerig.computed_names import JOINS, matching, pattern_at, writes
from edgerig.own_folder import MARKS, own_patterns

#: Longer texts are not names of files.
LONGEST = 400
#: Source files that must have been parsed at once for what they name to be kept: to parse fewer takes no time.
MANY = 50
#: Where files are the kernel's, and tell something else each time.
_KERNEL = ("/proc/", "/sys/", "/dev/")
#: What a source that reads environment variables has in it, and how their names look.
_READS_VARIABLES = (b"environ", b"getenv")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Names(msgspec.Struct, frozen=True):
    """What a source file names.

    Attributes:
        imports: Top-level names of the modules that it imports, anywhere in it, as far as they are constants.
        computed: Whether it imports a computed name as well.
        texts: Texts that may be names of files.
        patterns: Paths that are computed, as `edgerig.computed_names` has them.
        variables: Texts that may be names of environment variables, where it reads such.
    """

    imports: frozenset[str] = frozenset()
    computed: bool = False
    texts: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


#: What source files name, by their SHA-256: plugins of one package share its files, and each would be parsed again.
_names: dict[str, Names] = {}


def existing(names: Names, folder: Path) -> dict[str, Path]:
    """The files, and folders, that a module in ``folder`` names: path by name, beside it or in the working folder.

    Imported modules are not among them.
    """
    paths: dict[str, Path] = matching(names.patterns, folder)
    bases = (("", str(folder)), ("./", str(Path.cwd())))
    for text in sorted(names.texts):
        for where, base in bases:
            # As texts, not as `Path`: a package may hold ten thousand texts, of which a few are names.
            path = os.path.join(base, text)  # noqa: PTH118
            if os.path.isfile(path) and not path.startswith(_KERNEL):  # noqa: PTH113
                paths.setdefault(where + text, Path(path).resolve())
    return paths


@contextlib.contextmanager
def kept_names(package: Path) -> Iterator[None]:
    """Within, `names_in` knows from the cache what it has parsed in other processes, for ``package``; and if it parses
    many files, they are known to the next one. To parse a large package takes seconds."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        kept = files.recall(*_place(package))
        if kept is not None:
            _names.update(msgspec.msgpack.decode(kept, type=dict[str, Names]))
    before = len(_names)
    yield
    if len(_names) - before >= MANY:
        with contextlib.suppress(OSError):
            files.remember(msgspec.msgpack.encode(_names), *_place(package))


def _place(package: Path) -> tuple[str, str]:
    """Where is kept what the sources of a package name; this code and Python's grammar decide that as well.

    Raises:
        OSError: This code cannot be read, as from an archive.
    """
    own = [files.sha256_file(Path(module)) for module in (__file__, computed_names.__file__, own_folder.__file__)]
    return "names", files.digest([str(package), own, sys.version])


def names_in(source: bytes, digest: str) -> Names:
    """What a source file with the SHA-256 ``digest`` names; nothing where it cannot be parsed."""
    if digest not in _names:
        _names[digest] = _scan(source)
    return _names[digest]


def _scan(source: bytes) -> Names:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Names()
    imports: set[str] = set()
    texts: set[str] = set()
    patterns: set[str] = set()
    written: set[int] = set()
    variables: set[str] = set()
    computed, reads = False, any(word in source for word in _READS_VARIABLES)
    nodes = list(_nodes(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            imports.add(node.module)
        elif isinstance(node, ast.Call) and node.args and _called(node) in ("import_module", "__import__"):
            name = getattr(node.args[0], "value", None)
            computed |= not isinstance(name, str)
            imports |= {name} if isinstance(name, str) else set()
        if writes(node):
            written |= {id(inner) for inner in ast.walk(node)}
        if id(node) not in written and (pattern := pattern_at(node)) is not None:
            patterns.add(pattern)
        text = _text_of(node)
        if text is not None:
            texts.add(text)
        value = getattr(node, "value", None) if reads and isinstance(node, ast.Constant) else None
        if isinstance(value, str) and _VARIABLE.fullmatch(value):
            variables.add(value)
    if any(mark in source for mark in MARKS):
        patterns |= own_patterns(nodes, written, lambda node: pattern_at(node) is not None)
    tops = frozenset(name.partition(".")[0] for name in imports)
    return Names(tops, computed, frozenset(texts), frozenset(patterns), frozenset(variables))


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes of a tree, as `ast.walk` gives them, in another order and half the time."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                waiting += [member for member in value if isinstance(member, ast.AST)]
            elif isinstance(value, ast.AST):
                waiting.append(value)


def _text_of(node: ast.AST) -> str | None:
    """The text at a node of a syntax tree that may name a file: a constant, or the constant end of a joined path."""
    if isinstance(node, ast.Constant):
        parts = [node]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = _constant_end(_divided(node))
    elif isinstance(node, ast.Call) and _called(node) in JOINS:
        parts = _constant_end(node.args)
    else:
        return None
    text = "/".join(part.value for part in parts if isinstance(part.value, str))
    # Plain words are skipped: they are too rarely names of files to look for each of them.
    names = 0 < len(text) <= LONGEST and ("." in text or "/" in text) and text.isprintable() and not text.isspace()
    return text if names else None


def _divided(node: ast.expr) -> list[ast.expr]:
    """The operands of ``a / b / c``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [*_divided(node.left), node.right]
    return [node]


def _constant_end(parts: list[ast.expr]) -> list[ast.Constant]:
    end: list[ast.Constant] = []
    for part in reversed(parts):
        if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
            break
        end.insert(0, part)
    return end


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
