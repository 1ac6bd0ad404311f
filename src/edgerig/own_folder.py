"""Whether Python code reads what lies in its own folder: ``HERE / name``, ``HERE.iterdir()``, `importlib.resources`.

A path is the code's own if it comes from ``__file__``, ``__path__`` or `importlib.resources`, also by way of names that
it was given, and of loops over such folders.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

#: Patterns for all files of a module's own folder, and for all below it as well.
OWN_FILES, OWN_TREE = "./*", "./**"
#: What a source that asks for its own folder has in it.
MARKS = (b"__file__", b"__path__", b"resources", b"get_data")
_FROM = frozenset({"__file__", "__path__"})
#: Calls that list what lies in a folder, or all below it.
_LISTS = frozenset({"iterdir", "listdir", "scandir", "contents", "glob", "iglob"})
_WALKS = frozenset({"rglob", "walk", "fwalk"})
#: Functions that join paths, and methods of a path that do.
_JOINS, _JOINING = frozenset({"join", "Path", "PurePath"}), frozenset({"joinpath", "with_name"})
#: Methods of paths that give paths, attributes that are such, and functions that make paths of paths.
_METHODS = frozenset(
    {
        "resolve",
        "absolute",
        "expanduser",
        "joinpath",
        "with_name",
        "with_suffix",
        "as_posix",
        "iterdir",
        "glob",
        "rglob",
    }
)
_PARTS = frozenset({"parent", "parents", "path", "name"})
_FUNCTIONS = frozenset(
    {
        "Path", "PurePath", "str", "fspath", "dirname", "abspath", "realpath", "normpath", "join", "sorted", "list",
        "tuple", "set", "iter", "enumerate", "as_file", "listdir", "scandir", "walk", "glob", "iglob", "next",
    }
)  # fmt: skip
#: Functions that read a file of a package, by the package and the file's name.
_READS = frozenset({"get_data", "read_text", "read_binary", "open_text", "open_binary", "open_resource"})


def own_patterns(nodes: Iterable[ast.AST], written: set[int], is_known: Callable[[ast.AST], bool]) -> set[str]:
    """`OWN_FILES` or `OWN_TREE`, as far as code reads its own folder by names that it computes altogether; and the
    folders of packages whose files it asks for by the package's name.

    Args:
        nodes: All of a module. written: Ids of those that only name what the code writes.
        is_known: Whether a path has a pattern of its own.
    """
    every = [node for node in nodes if id(node) not in written]
    own, within = _own_names(every)
    patterns: set[str] = set()
    for node in every:
        patterns |= _packages(node)
        if _is_below(node, own, within):
            return patterns | {OWN_TREE}
        if not is_known(node) and (_lists(node, own) or _is_computed(node, own)):
            patterns.add(OWN_FILES)
    return patterns


def _own_names(nodes: list[ast.AST]) -> tuple[set[str], set[str]]:
    """Names that own paths are given to, and those of whatever lies in own folders: by loops, or by computed names."""
    own: set[str] = set()
    within: set[str] = set()
    before = -1
    while before != len(own) + len(within):
        before = len(own) + len(within)
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = {name for target in targets for name in _named(target)}
                if _is_within(node.value, within) or any(_is_computed(inner, own) for inner in ast.walk(node.value)):
                    within |= names
                elif _is_own(node.value, own):
                    own |= names
            elif isinstance(node, ast.For | ast.comprehension) and _is_own(node.iter, own | within):
                within |= set(_named(node.target))
            elif isinstance(node, ast.FunctionDef) and any(_is_own(each, own) for each in _returned(node)):
                own.add(node.name)
    return own - within, within


def _named(target: ast.AST) -> list[str]:
    if isinstance(target, ast.Tuple | ast.List):
        return [name for each in target.elts for name in _named(each)]
    if isinstance(target, ast.Starred):
        return _named(target.value)
    return [name] if (name := _name(target)) else []


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _returned(function: ast.FunctionDef) -> list[ast.expr]:
    return [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]


def _is_own(node: ast.AST | None, own: set[str]) -> bool:
    """Whether a node is a path, or several, that come from one of ``own``; not what is read from there."""
    if node is None or _name(node) in own | _FROM or _is_resources(node):
        return node is not None
    if isinstance(node, ast.Call):
        function = node.func
        of = function.value if isinstance(function, ast.Attribute) else None
        if _name(function) in own or (_name(function) in _METHODS and _is_own(of, own)):
            return True
        return _name(function) in _FUNCTIONS and any(_is_own(each, own) for each in node.args)
    parts: list[ast.AST | None] = []
    if (isinstance(node, ast.Attribute) and node.attr in _PARTS) or isinstance(
        node, ast.Subscript | ast.Starred | ast.FormattedValue | ast.Await
    ):
        parts = [node.value]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
        parts = [node.left]
    elif isinstance(node, ast.JoinedStr | ast.BoolOp):
        parts = list(node.values)
    elif isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = list(node.elts)
    elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        parts = [each.iter for each in node.generators]
    return any(_is_own(part, own) for part in parts)


def _is_within(node: ast.AST, within: set[str]) -> bool:
    """Whether a node is a path made of one of ``within``, names of what lies in an own folder."""
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return bool(names & within) and _is_own(node, within)


def _is_resources(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (
        isinstance(function, ast.Attribute) and function.attr == "files" and _name(function.value) == "resources"
    ) or (isinstance(function, ast.Name) and function.id == "files" and len(node.args) == 1)


def _packages(node: ast.AST) -> set[str]:
    """The folder of a package that `importlib.resources` or `pkgutil` is asked for by its name."""
    if not isinstance(node, ast.Call) or not node.args or not (_is_resources(node) or _name(node.func) in _READS):
        return set()
    name = getattr(node.args[0], "value", None)
    return {name.replace(".", "/")} if isinstance(name, str) and name.replace(".", "").isidentifier() else set()


def _lists(node: ast.AST, own: set[str]) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in _LISTS and _is_own(node, own)


def _is_below(node: ast.AST, own: set[str], within: set[str]) -> bool:
    """Whether what lies below a folder within the own one is read: walked, listed, or joined with a further name."""
    if isinstance(node, ast.Call) and _name(node.func) in _WALKS:
        return _is_own(node, own | within)
    if isinstance(node, ast.Call) and _name(node.func) in _LISTS:
        return _is_within(node, within)
    joined = _joined(node)
    computed = any(not isinstance(part, ast.Constant) for part in joined[1:-1])
    return bool(joined) and (_is_within(joined[0], within) or (computed and _is_own(joined[0], own)))


def _is_computed(node: ast.AST, own: set[str]) -> bool:
    """Whether an own path is joined with a name that is computed, or a file of a package is read by such a name."""
    if isinstance(node, ast.Call) and _name(node.func) in _READS and len(node.args) > 1:
        return not isinstance(node.args[-1], ast.Constant)
    joined = _joined(node)
    return bool(joined) and _is_own(joined[0], own) and not isinstance(joined[-1], ast.Constant)


def _joined(node: ast.AST) -> list[ast.expr]:
    """The parts of a path that is joined; empty where there are none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
        return [*(_joined(node.left) or [node.left]), node.right]
    if isinstance(node, ast.JoinedStr):
        parts = [value for value in node.values if isinstance(value, ast.FormattedValue)]
        return list(parts) if len(parts) > 1 else []
    if not isinstance(node, ast.Call) or not node.args:
        return []
    if isinstance(node.func, ast.Attribute) and node.func.attr in _JOINING:
        return [node.func.value, *node.args]
    return list(node.args) if _name(node.func) in _JOINS and len(node.args) > 1 else []
