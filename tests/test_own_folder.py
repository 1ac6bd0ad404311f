"""Code that reads what lies in its own folder, whatever it is called there, depends on all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgerig import computed_names
from edgerig.computed_names import content_sum, content_sums, matching
from edgerig.named_files import names_in
from edgerig.own_folder import OWN_FILES, OWN_TREE

HERE = "HERE = Path(__file__).resolve().parent\n"


def own(source: str) -> list[str]:
    return sorted(pattern for pattern in names_in(source.encode(), source).patterns if pattern.startswith("./"))


@pytest.mark.parametrize(
    "source",
    [
        HERE + "x = (HERE / name).read_text()",
        HERE + "for path in sorted(HERE.iterdir()): path.read_text()",
        HERE + 'for path in HERE.glob("*"): pass',
        HERE + 'open(f"{HERE}/{name}")',
        HERE + "x = Path(HERE, name).read_text()",
        HERE + "x = pathlib.Path(HERE, name).read_text()",
        "folder = os.path.dirname(os.path.abspath(__file__))\nopen(os.path.join(folder, name))",
        'folder = os.path.dirname(__file__)\nfor name in os.listdir(folder):\n  open(folder + "/" + name)',
        "def here(): return Path(__file__).parent\nopen(here() / name)",
        "class A:\n  here = Path(__file__).parent\n  def f(self, n): return open(self.here / n)",
        "resources.files(__package__).joinpath(name).read_text()",
        '(files("package") / name).read_text()  # of importlib.resources',
        "pkgutil.get_data(__package__, name)",
    ],
)
def test_names_that_are_computed_altogether_may_be_any_file_of_the_folder(source: str) -> None:
    assert own(source) == [OWN_FILES]


@pytest.mark.parametrize(
    "source",
    [
        HERE + "for folder in HERE.iterdir():\n  for path in folder.iterdir(): path.read_text()",
        HERE + 'open(HERE / split / "x.csv")',
        HERE + 'open(Path(HERE, split, "x.csv"))',
        HERE + 'folder = HERE / split\nopen(folder / "x.csv")',
        HERE + 'for path in HERE.rglob("*"): pass',
        "for folder, inner, names in os.walk(os.path.dirname(__file__)): pass",
    ],
)
def test_folders_that_are_computed_may_be_any_below(source: str) -> None:
    assert own(source) == [OWN_TREE]


@pytest.mark.parametrize(
    "source",
    [
        HERE + 'x = (HERE / "x.json").read_text()',
        HERE + 'open(HERE / "tables" / name)',
        HERE + '(HERE / name).write_text("1")',
        HERE + 'x = Path(HERE, "tables", "x.json").read_text()',
        "x = Path(folder, name).read_text()",
        'table = json.loads((Path(__file__).parent / "t.json").read_text())\nfor row in table:\n  y = row / n',
        'table = np.load(Path(__file__).parent / "t.npy")\ny = (table - mean) / std',
        "sys.path.insert(0, os.path.dirname(__file__))\ny = a / b",
    ],
)
def test_what_is_read_from_a_folder_is_no_folder(source: str) -> None:
    assert own(source) == []


def test_a_package_s_files_are_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "package" / "tables").mkdir(parents=True)
    (tmp_path / "package" / "__init__.py").write_text("")
    patterns = names_in(source := b'resources.files("package.tables") / name', source.decode()).patterns
    assert matching(patterns, tmp_path / "package")["../package/tables"] == tmp_path / "package" / "tables"


def test_files_of_the_own_folder_count_but_for_bytecode_and_logs(tmp_path: Path) -> None:
    for name in ("plugin.py", "plugin.pyc", "run.log", ".hidden", "weights", "below/x.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    assert sorted(matching({OWN_FILES}, tmp_path)) == ["plugin.py", "weights"]
    before = content_sum(matching({OWN_TREE}, tmp_path)["."])
    (tmp_path / "below" / "x.csv").write_text("2")
    assert content_sum(tmp_path) != before


def test_of_much_data_in_many_files_the_times_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {name: tmp_path / name for name in "abc"}
    for path in paths.values():
        path.write_text("1234")
    every = content_sums(paths)
    assert len(set(every.values())) == 1
    # The first two are read, and for the third the time of its change stands, also where its size is put back.
    monkeypatch.setattr(computed_names, "MOST_BYTES", 8)
    some = content_sums(paths)
    assert [some[name] == every[name] for name in "abc"] == [True, True, False]
    state = paths["c"].stat()
    paths["c"].write_text("4321")
    os.utime(paths["c"], ns=(state.st_atime_ns, state.st_mtime_ns))
    assert content_sums(paths)["c"] != some["c"]
    # One that is too large alone.
    monkeypatch.setattr(computed_names, "MOST_BYTES", 3)
    assert content_sum(paths["a"]) != every["a"]
