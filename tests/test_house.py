"""The house rules that a program can check."""

import ast
import functools
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgerig.plugin_code import ASIDE

SOURCE = Path(__file__).parent.parent / "src" / "edgerig"

#: A package may import what stands before it, never what stands after it.
ORDER = [
    "collector", "late_imports",
    "freed_memory", "installed", "install", "text", "deprecation", "errors", "files", "logs", "child_logs", "cache",
    "progress", "linked_folders", "own_folder", "computed_names", "named_files", "plugin_code", "setting_values",
    "settings", "plugin_names", "plugins", "environments", "tensors",
    "formats", "external_data", "artifact", "measure", "views", "wire", "power", "store", "tasks", "datasets",
    "bounded", "results", "report", "models", "micro", "compilers", "runtimes", "boards", "agent", "simulator",
    "targets", "rig", "engine", "api", "serve", "suites", "testing", "cli",
]  # fmt: skip

#: The heavy engines: each may be imported only inside a function.
ENGINES = {
    "av",
    "keras", "jax", "onnx", "onnxruntime", "tflite_micro", "litert_converter", "litert_quantizer", "PIL", "sklearn",
    "tensorboardX", "pyjls", "ai_edge_litert", "tensorflow", "tensorrt", "torch", "unicorn", "elftools", "starlette",
    "prometheus_client", "grpc", "tritonclient", "uvloop", "obstore",
}  # fmt: skip

MODULES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(nodes: Iterable[ast.AST]) -> list[str]:
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
    return found


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def whole_names(nodes: Iterable[ast.AST]) -> list[str]:
    """What is imported, each with the module that it comes from."""
    result = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            result += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            result += [alias.name for alias in node.names]
    return result


def shadowed(package: Path) -> set[str]:
    """What a package hands out from one module where another bears its name: who imports that one gets it instead."""
    tree = ast.parse((package / "__init__.py").read_text())
    froms = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    names = {alias.asname or alias.name: str(node.module).rpartition(".")[2] for node in froms for alias in node.names}
    # A module that the package imports at all is in its place before the name is bound.
    in_place = {*names.values(), *(name for name, module in names.items() if module == package.name)}
    return {name for name in names if (package / f"{name}.py").exists()} - in_place


def test_no_module_takes_the_place_of_what_its_package_hands_out(tmp_path: Path) -> None:
    packages = [path.parent for path in MODULES if path.name == "__init__.py"]
    assert not {str(package): names for package in packages if (names := shadowed(package))}
    (tmp_path / "__init__.py").write_text("from package.a import a, b\nfrom package.c import c")
    for name in "abc":
        (tmp_path / f"{name}.py").touch()
    assert shadowed(tmp_path) == {"b"}


@dataclass(frozen=True)
class Source:
    """What the rules ask of a file: all of it is had in one go, and its syntax tree not kept."""

    imports: list[str]
    imports_at_top: list[str]
    whole_names: list[str]
    variables: set[tuple[str, int]]


@functools.cache
def source(path: Path) -> Source:
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree))
    at_top = imports(outside_functions(tree))
    return Source(imports(nodes), at_top, whole_names(nodes), set(variables(nodes)))


# One test a rule, not one a rule and file: thousands of tests of a millisecond each are collected by every worker.
def test_a_package_imports_only_what_stands_above_it() -> None:
    offences = []
    for path in MODULES:
        here = package_of(path)
        if here in ("__init__", "__main__"):
            continue
        assert here in ORDER, f"{here} has no place in the house"
        for name in source(path).imports:
            parts = name.split(".")
            if parts[0] == "edgerig" and len(parts) > 1 and ORDER.index(parts[1]) > ORDER.index(here):
                offences.append(f"{path.name} in {here} imports {name}")
    assert not offences


def test_what_stages_are_built_by_imports_nothing_that_their_keys_leave_out() -> None:
    # From the engine on, packages drive stages and read what these made.
    drivers = {*ASIDE, *ORDER[ORDER.index("engine") :], "__main__"}
    offences = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in MODULES
        if package_of(path) not in drivers
        for name in source(path).imports
        if name.startswith("edgerig.") and name.split(".")[1] in ASIDE
    ]
    assert not offences


def outside_functions(tree: ast.Module) -> list[ast.AST]:
    """The nodes of a file that are run when it is imported."""
    result: list[ast.AST] = []
    waiting: list[ast.AST] = [node for node in tree.body if not is_type_checking(node)]
    while waiting:
        node = waiting.pop()
        result.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)
    return result


def test_engines_are_imported_inside_functions() -> None:
    offences = {}
    for path in MODULES:
        if heavy := {name.split(".")[0] for name in source(path).imports_at_top} & ENGINES:
            offences[path.name] = heavy
    assert not offences, "these are imported at module level"


def test_what_is_imported_within_a_class_is_seen_and_within_a_function_not() -> None:
    code = "if TYPE_CHECKING:\n import jax\nclass A:\n import torch\ndef f():\n import onnx"
    assert imports(outside_functions(ast.parse(code))) == ["torch"]


def module_name(path: Path) -> str:
    return ".".join(("edgerig", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


#: All modules but `edgerig` itself, which hands out `run` when that is asked for, and of which all others are parts.
NAMES = {module_name(path): path for path in MODULES if path != SOURCE / "__init__.py"}


def imported_modules(path: Path) -> set[str]:
    """The modules of edgerig that a file imports: at its top, for type checkers alone, or within a function."""
    names = source(path).whole_names
    modules = {name if name in NAMES else name.rpartition(".")[0] for name in names}
    return modules & NAMES.keys() - {module_name(path)}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of two or more nodes that all lead to one another."""
    reachable: dict[str, set[str]] = {}
    for start in graph:
        reachable[start] = set()
        waiting = list(graph[start])
        while waiting:
            name = waiting.pop()
            if name not in reachable[start]:
                reachable[start].add(name)
                waiting += graph.get(name, ())
    result: list[set[str]] = []
    for name in graph:
        members = {other for other in reachable[name] if name in reachable.get(other, ())}
        if members and members not in result:
            result.append(members)
    return result


def test_files_import_one_another_in_one_direction_only() -> None:
    loops = circles({name: imported_modules(path) for name, path in NAMES.items()})
    assert not loops, f"these files import one another in a circle: {loops}"


def test_a_circle_is_seen_however_long_it_is() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set()}
    assert circles(graph) == [{"a", "b", "c"}]
    assert imported_modules(SOURCE / "wire" / "stream.py") >= {"edgerig.wire.exchange", "edgerig.wire.messages"}
    lazy = imported_modules(SOURCE / "bounded" / "call.py")
    assert "edgerig.bounded.worker" in lazy, "imports within functions count"


def test_no_file_is_longer_than_400_lines_and_most_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert not {path.name: length for path, length in lengths.items() if length > 400}
    assert statistics.median(lengths.values()) <= 110


def test_the_top_folder_holds_nothing_that_a_trial_left() -> None:
    """Such as a rig file that was written where the tests ran."""
    listed = subprocess.run(
        ["git", "ls-files", ":(glob)*"], cwd=SOURCE.parent.parent, capture_output=True, text=True, check=False
    )
    others = {name for name in listed.stdout.split() if not name.startswith(".") and not name.endswith(".md")}
    assert others <= {"LICENSE", "Makefile", "mkdocs.yml", "pyproject.toml"}


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


def test_tensorflow_is_no_dependency_and_pytorch_only_of_the_extras_that_are_named_after_it() -> None:
    project = tomllib.loads((SOURCE.parent.parent / "pyproject.toml").read_text())["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    named = {name: [re.split(r"[^\w-]", entry)[0] for entry in entries] for name, entries in extras.items()}
    holds_tensorflow = {name for name, entries in named.items() if any("tensorflow" in entry for entry in entries)}
    assert holds_tensorflow == {"tensorflow"}
    heavy = {name for name, entries in named.items() if any("torch" in entry for entry in entries)}
    # ExecuTorch is PyTorch's own engine, and needs it.
    assert heavy == {"torch", "litert-torch", "executorch"}
    # Extras name each other, too: none that is installed without being asked for may bring PyTorch.
    for name in set(extras) - heavy - holds_tensorflow:
        assert not any("torch" in entry or "tensorflow" in entry for entry in extras[name]), name


def test_commands_print_through_the_console_module_which_cleans_what_it_prints() -> None:
    """`click.echo`, `print` and standard output are for `cli/console.py`, and for errors that end a command."""
    for path in sorted((SOURCE / "cli").glob("*.py")):
        if path.name in ("console.py", "failures.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("click.echo", "click.secho", "print", "sys.stdout.write", "Console"), (
                f"{path.name}:{node.lineno} prints past edgerig.cli.console"
            )


#: The rooms of the C compiler: each may import those before it. `reference` judges what the others make, and has
#: nothing of them but scales and tables.
CORRIDOR = [
    "limits",
    "options",
    "c_text",
    "ir",
    "arithmetic",
    "frontend",
    "passes",
    "kernels",
    "memory",
    "select",
    "faster",
    "soft_float",
    "emit",
    "planning",
    "stages",
    "flash",
    "pipeline",
]


def test_the_c_compiler_is_a_corridor_in_one_direction() -> None:
    offences = []
    for path in sorted((SOURCE / "micro").rglob("*.py")):
        room = path.relative_to(SOURCE / "micro").parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        below = ["ir", "arithmetic", "reference"] if room == "reference" else CORRIDOR[: CORRIDOR.index(room) + 1]
        for name in source(path).whole_names:
            parts = name.split(".")
            if parts[:2] == ["edgerig", "micro"] and len(parts) > 2 and parts[2] not in below:
                offences.append(f"{path.name} in {room} imports {name}")
    assert not offences


def test_the_reference_of_the_c_compiler_is_imported_by_checks_alone() -> None:
    for path in MODULES:
        if package_of(path) != "testing" and "reference" not in path.relative_to(SOURCE).parts:
            names = source(path).whole_names
            assert not any(name.startswith("edgerig.micro.reference") for name in names), path


#: Names that say nothing of what a thing is.
FILLERS = {"found", "place", "one", "made", "told"}


def variables(nodes: Iterable[ast.AST]) -> list[tuple[str, int]]:
    """Parameters of functions, and what is assigned in them, each with its line."""
    result = []
    for function in nodes:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.arg):
                    result.append((node.arg, node.lineno))
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    result.append((node.id, node.lineno))
    return result


def test_variables_are_named_after_what_they_are() -> None:
    fillers = [(path.name, *at) for path in MODULES for at in source(path).variables if at[0] in FILLERS]
    assert not fillers, "name these after what they are"


def test_a_filler_is_seen_wherever_it_stands() -> None:
    code = "def f(one):\n found = [told for told in one]\n def g():\n  with x as made: pass\n return lambda place: 0"
    assert {name for name, _ in variables(ast.walk(ast.parse(code)))} & FILLERS == FILLERS


def test_what_tests_import_within_functions_is_there() -> None:
    """Many of those tests are skipped where an engine is missing, so nothing else tells of a name that is gone."""
    asked = re.compile(r"^[ ]+from (edgerig[\w.]*) import (\w+(?:, \w+)*)$", re.MULTILINE)
    gone, seen = [], 0
    for path in sorted(SOURCE.parents[1].joinpath("tests").rglob("*.py")):
        for module, names in asked.findall(path.read_text()):
            place = SOURCE.joinpath(*module.split(".")[1:])
            text = (place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text()
            for name in names.split(", "):
                seen += 1
                module_of_that_name = (place / name).is_dir() or (place / f"{name}.py").is_file()
                if not module_of_that_name and re.search(rf"\b{name}\b", text) is None:
                    gone.append(f"{path.name}: {module}.{name}")
    assert seen
    assert gone == []
