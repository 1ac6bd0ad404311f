"""The house rules that a program can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "edgerig"

#: A package may import what stands before it, never what stands after it.
ORDER = [
    "install", "text", "errors", "files", "cache", "progress", "named_files", "plugin_code", "plugins",
    "external_data", "artifact", "measure", "wire", "datasets", "bounded", "results", "report", "models", "micro",
    "compilers", "runtimes", "boards", "agent", "simulator", "targets", "rig", "engine", "api", "suites", "testing",
    "cli",
]  # fmt: skip

#: The heavy engines: each may be imported only inside a function.
ENGINES = {
    "keras", "jax", "onnx", "onnxruntime", "tflite_micro", "litert_converter", "litert_quantizer", "PIL", "sklearn",
    "tensorboardX", "ai_edge_litert", "tensorflow", "torch", "unicorn", "elftools",
}  # fmt: skip

MODULES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
    return found


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_package_imports_only_what_stands_above_it(path: Path) -> None:
    here = package_of(path)
    if here in ("__init__", "__main__"):
        return
    assert here in ORDER, f"{here} has no place in the house"
    for name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "edgerig" and len(parts) > 1:
            assert ORDER.index(parts[1]) <= ORDER.index(here), f"{path.name} in {here} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_engines_are_imported_inside_functions(path: Path) -> None:
    top = ast.Module([node for node in ast.parse(path.read_text()).body if not is_type_checking(node)], [])
    for node in ast.walk(top):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = []
    heavy = {name.split(".")[0] for name in imports(top)} & ENGINES
    assert not heavy, f"{path.name} imports {heavy} at module level"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_longer_than_600_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 600


def test_help_imports_no_engine_and_not_even_numpy() -> None:
    code = (
        "import sys; from edgerig.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('numpy', 'rich', 'yaml', 'jinja2', 'psutil', 'ai_edge_litert')\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout


def test_no_tensorflow_and_no_pytorch_are_named_as_dependencies() -> None:
    text = (SOURCE.parent.parent / "pyproject.toml").read_text()
    assert '"tensorflow' not in text
    assert '"torch' not in text


def test_commands_print_through_the_console_module_which_cleans_what_it_prints() -> None:
    """`click.echo`, `print` and standard output are for `cli/console.py`, and for errors at the entry point."""
    for path in sorted((SOURCE / "cli").glob("*.py")):
        if path.name in ("console.py", "__init__.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("click.echo", "click.secho", "print", "sys.stdout.write", "Console"), (
                f"{path.name}:{node.lineno} prints past edgerig.cli.console"
            )
