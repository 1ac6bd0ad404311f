import importlib
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import edgerig
from edgerig import files, named_files, plugin_code
from edgerig.engine.dependencies import of_plugin
from edgerig.errors import SpecError
from edgerig.plugin_code import ASIDE, NEVER, Code, _distributions_of, check_loaded, code_of, own_code, variables_of
from edgerig.plugins import find
from edgerig.runtimes.base import Runtime

PLUGIN = """\
from edgerig.runtimes.litert import LiteRt
import {helper}
class Mine(LiteRt):
    name = "mine"
    size = {helper}.SIZE
"""


class Beside:
    """A plugin in a module of its own and a helper that it imports, in a folder on the path."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.helper = folder, name, f"{name}_helper"
        self.write(self.name, PLUGIN.format(helper=self.helper))
        self.write(self.helper, "SIZE = 16\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self) -> type:
        """The class, as a process of its own would load it."""
        for module in [m for m in sys.modules if m.partition(".")[0] in (self.name, self.helper)]:
            del sys.modules[module]
        return find("runtime", f"{self.name}:Mine", Runtime)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Beside:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Beside(tmp_path, f"code_{abs(hash(request.node.name))}")


def test_nothing_changed_is_the_same_code(beside: Beside) -> None:
    first = code_of(beside.load())
    assert first is not None
    assert set(first.files) == {beside.name, beside.helper}
    assert code_of(beside.load()) == first


@pytest.mark.parametrize("which", ["name", "helper"])
def test_an_edited_module_or_helper_is_other_code(beside: Beside, which: str) -> None:
    first = code_of(beside.load())
    path = beside.folder / f"{getattr(beside, which)}.py"
    path.write_text(path.read_text() + "# edited\n")
    assert code_of(beside.load()) != first


@pytest.mark.parametrize(
    "line",
    [
        "def later():\n    import {far}\n",
        "from {far} import X\n",
        "import importlib\nX = importlib.import_module('{far}')\n",
        "try:\n    import {far} as f\nexcept ImportError:\n    pass\n",
    ],
)
def test_what_a_helper_imports_counts_however_it_is_imported(beside: Beside, line: str) -> None:
    far = f"{beside.name}_far"
    beside.write(far, "X = 1\n")
    beside.write(beside.helper, "SIZE = 16\n" + line.format(far=far))
    first = code_of(beside.load())
    assert first is not None
    assert far in first.files
    beside.write(far, "X = 2\n")
    assert code_of(beside.load()) != first


def test_every_module_of_a_package_counts(beside: Beside) -> None:
    package = f"{beside.helper}"
    (beside.folder / f"{package}.py").unlink()
    beside.write(f"{package}/__init__", "from .deep import SIZE\n")
    beside.write(f"{package}/deep", "SIZE = 16\n")
    first = code_of(beside.load())
    assert first is not None
    assert f"{package}/deep.py" in first.files
    beside.write(f"{package}/deep", "SIZE = 32\n")
    again = beside.load()
    assert code_of(again) != first
    assert vars(again)["size"] == 32


def test_where_it_lies_does_not_count(beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = code_of(beside.load())
    moved = Beside(tmp_path / "elsewhere", beside.name)
    monkeypatch.syspath_prepend(str(moved.folder))
    assert code_of(moved.load()) == first


@pytest.mark.slow
def test_modules_come_from_the_distributions_that_importlib_names() -> None:
    known = packages_distributions()
    modules = {"numpy", "yaml", "PIL", "click", "google", "no_such_module", "_pytest"}
    result = _distributions_of(frozenset(modules), tuple(sys.path))
    assert {name: sorted(owners) for name, owners in result.items()} == {
        name: sorted(set(known[name])) for name in modules & known.keys()
    }
    assert result["yaml"] == ["PyYAML"]


def test_a_process_that_keeps_no_results_reads_no_code(beside: Beside) -> None:
    """The worker on a device looks a runtime up for each session."""
    code = (
        "import sys; from edgerig import plugin_code, plugins; from edgerig.runtimes.base import Runtime\n"
        "for keyed in (False, True):\n"
        f"    plugins.find('runtime', '{beside.name}:Mine', Runtime, keyed=keyed)\n"
        "    print(len(plugin_code._loaded))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(beside.folder), *filter(None, sys.path)])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]


def test_a_file_is_scanned_once_however_many_plugins_share_it(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[bytes] = []
    scan = named_files._scan
    monkeypatch.setattr(named_files, "_names", {})
    monkeypatch.setattr(named_files, "_scan", lambda source: (scanned.append(source), scan(source))[1])
    first = code_of(beside.load())
    count = len(scanned)
    assert count == 2
    assert code_of(beside.load()) == first
    assert len(scanned) == count
    beside.write(beside.helper, "SIZE = 33\n")
    beside.load()
    assert len(scanned) == count + 1


def test_installed_packages_count_by_their_version(beside: Beside) -> None:
    beside.write(beside.helper, "import numpy, click\nSIZE = 16\n")
    code = code_of(beside.load())
    assert code is not None
    assert {"numpy", "click"} <= set(code.versions)
    assert not any("numpy" in name for name in code.files)


def test_two_edits_within_one_second_are_both_seen(beside: Beside) -> None:
    """Python would take the compiled file of the first edit for the second's: same size, same second."""
    assert vars(beside.load())["size"] == 16
    path = beside.folder / f"{beside.helper}.py"
    before = path.stat()
    path.write_text("SIZE = 32\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert vars(beside.load())["size"] == 32


def test_a_module_edited_after_it_was_loaded_is_refused(beside: Beside) -> None:
    loaded = beside.load()
    check_loaded(loaded)
    beside.write(beside.helper, "SIZE = 64\n")
    with pytest.raises(SpecError, match="was edited since this process imported it"):
        check_loaded(loaded)


def test_a_class_typed_into_an_interpreter_has_no_code_to_see() -> None:
    code = (
        "from edgerig.runtimes.litert import LiteRt\n"
        "from edgerig.plugin_code import code_of\n"
        "class Mine(LiteRt): name = 'mine'\n"
        "print(code_of(Mine), code_of(LiteRt))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None Code(files={}")


def test_edgerigs_own_code_has_a_digest() -> None:
    assert len(own_code()) == 64
    assert own_code(whole=True) != own_code(), "what judges and reports counts only as a whole"


@pytest.mark.parametrize(("whole", "aside"), [(True, NEVER), (False, ASIDE)])
def test_edgerigs_own_code_is_every_file_but_for_the_parts_aside(whole: bool, aside: frozenset[str]) -> None:
    root = Path(edgerig.__file__).parent
    paths = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    counted = {path.relative_to(root): path for path in paths if not aside & set(path.relative_to(root).parts)}
    sums = [[name.as_posix(), files.sha256_file(path)] for name, path in sorted(counted.items())]
    assert own_code(whole=whole) == files.digest([edgerig.__version__, sums])


NAMES = {
    "beside it": "from pathlib import Path\nX = (Path(__file__).parent / 'table.txt').read_text()\n",
    "below it": "from pathlib import Path\nX = (Path(__file__).parent / 'tables' / 'table.txt').read_text()\n",
    "joined": "import os\nX = open(os.path.join(os.path.dirname(__file__), 'tables', 'table.txt')).read()\n",
    "in the working folder": "def later():\n    return open('here.txt').read()\n",
    "code that it runs": "exec(open('code.py.txt').read())\n",
    "an image of numbers": "def later(np):\n    return np.load('here.npy')\n",
}


@pytest.mark.parametrize("line", NAMES.values(), ids=NAMES)
def test_files_that_a_module_names_count(beside: Beside, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(beside.folder)
    (beside.folder / "tables").mkdir()
    paths = [beside.folder / name for name in ("table.txt", "tables/table.txt", "here.txt", "code.py.txt", "here.npy")]
    for path in paths:
        path.write_text("Y = 1\n")
    beside.write(beside.helper, "SIZE = 16\n" + line)
    first = code_of(beside.load())
    assert first is not None
    assert code_of(beside.load()) == first
    for path in paths:
        path.write_text("Y = 2\n")
    assert code_of(beside.load()) != first


@pytest.mark.parametrize(
    "line",
    [
        "import os\nW = os.environ.get('MINE_WIDTH', '16')\n",
        "import os\nW = os.environ['MINE_WIDTH'] if 'MINE_WIDTH' in os.environ else 16\n",
        "from os import getenv\ndef later():\n    return getenv('MINE_WIDTH')\n",
        "from os import environ as e\nNAME = 'MINE_WIDTH'\nW = e.get(NAME)\n",
    ],
)
def test_environment_variables_that_a_module_reads_count(
    beside: Beside, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.write(beside.helper, "SIZE = 16\n" + line)
    seen = []
    for value in (None, "16", "4"):
        monkeypatch.delenv("MINE_WIDTH", raising=False)
        if value is not None:
            monkeypatch.setenv("MINE_WIDTH", value)
        assert variables_of(beside.load())["MINE_WIDTH"] == value
        seen.append(files.digest(of_plugin(beside.load()(None))))
    assert len(set(seen)) == 3
    monkeypatch.setenv("MINE_UNREAD", "1")
    assert files.digest(of_plugin(beside.load()(None))) == seen[-1]


def test_modules_whose_names_are_worked_out_count_once_they_are_loaded(beside: Beside) -> None:
    far = f"{beside.name}_far"
    beside.write(far, "X = 1\n")
    beside.write(beside.helper, f"SIZE = 16\nimport importlib\nX = importlib.import_module('{beside.name}' + '_far')\n")
    first = code_of(beside.load())
    assert first is not None
    assert far in first.files


def test_other_files_do_not_count(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(beside.folder)
    first = code_of(beside.load())
    (beside.folder / "rig.yaml").write_text("name: x\n")
    assert code_of(beside.load()) == first


def test_a_large_package_is_parsed_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "a_large_package"
    package.mkdir()
    for number in range(named_files.MANY):
        (package / f"part{number}.py").write_text(f"TABLE = 'table{number}.json'\nNUMBER = {number}\n")
    (package / "__init__.py").write_text("from edgerig.runtimes.litert import LiteRt\nclass Large(LiteRt): ...\n")
    (package / "table7.json").write_text("7")
    cls = importlib.import_module("a_large_package").Large
    parsed: list[bytes] = []
    scan = named_files._scan
    monkeypatch.setattr(named_files, "_scan", lambda source: (parsed.append(source), scan(source))[1])

    def looked_at() -> tuple[Code, dict[str, Path]]:
        monkeypatch.setattr(named_files, "_names", {})
        plugin_code._loaded.pop(cls, None)
        parsed.clear()
        code = code_of(cls)
        assert code is not None
        return code, plugin_code.named_files(cls)

    first = looked_at()
    assert len(parsed) == named_files.MANY + 1
    assert list(first[1]) == ["table7.json"]
    assert looked_at() == first
    assert parsed == []
    (package / "part3.py").write_text("TABLE = 'table7.json'\n")
    second = looked_at()
    assert parsed == [b"TABLE = 'table7.json'\n"]
    assert second[0].files != first[0].files
    (kept,) = (tmp_path / "cache" / "names").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert looked_at() == second
    assert len(parsed) == named_files.MANY + 1


def test_a_part_of_a_package_that_is_a_link_belongs_to_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, package = tmp_path / "shared", tmp_path / "linking_package"
    for folder in (shared, package):
        folder.mkdir()
        (folder / "__init__.py").write_text("")
    (shared / "sizes.py").write_text("SIZE = 16\n")
    (package / "helpers").symlink_to(shared)
    (package / "again").symlink_to(package)
    (package / "plugin.py").write_text(PLUGIN.format(helper="linking_package.helpers.sizes"))
    monkeypatch.syspath_prepend(str(tmp_path))

    def load() -> dict[str, str]:
        for module in [name for name in sys.modules if name.startswith("linking_package")]:
            del sys.modules[module]
        code = code_of(find("runtime", "linking_package.plugin:Mine", Runtime))
        assert code is not None
        return code.files

    first = load()
    assert "linking_package/helpers/sizes.py" in first
    (shared / "sizes.py").write_text("SIZE = 17 + 0\n")
    assert load() != first
