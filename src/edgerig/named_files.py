"""Files that Python code names in string constants: a table beside a module, a script that it runs, a file it opens.

A path counts as far as it is a constant: a text with a dot or a slash that is the name of a file, and the constant
end of a path that is computed, as in ``Path(__file__).parent / "tables" / "widths.json"``.
"""

from __future__ import annotations

import ast
from pathlib import Path

#: Longer texts are not names of files.
LONGEST = 400
#: Calls that join paths, besides the operator ``/``.
JOINS = frozenset({"join", "joinpath", "Path", "PurePath", "with_name"})


def named_in(tree: ast.Module, folder: Path) -> dict[str, Path]:
    """The files that a module in ``folder`` names: path by name, beside the module or in the working folder.

    Imported modules are not among them.
    """
    files: dict[str, Path] = {}
    for text in sorted(_texts(tree)):
        for where, base in (("", folder), ("./", Path.cwd())):
            path = base / text
            try:
                if path.is_file():
                    files.setdefault(where + text, path.resolve())
            except OSError:
                continue
    return files


def _texts(tree: ast.Module) -> set[str]:
    texts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            parts = [node]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = _constant_end(_divided(node))
        elif isinstance(node, ast.Call) and _called(node) in JOINS:
            parts = _constant_end(node.args)
        else:
            continue
        text = "/".join(str(part.value) for part in parts if isinstance(part.value, str))
        # Plain words are skipped: they are too rarely names of files to look for each of them.
        if 0 < len(text) <= LONGEST and text.isprintable() and not text.isspace() and ("." in text or "/" in text):
            texts.add(text)
    return texts


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
