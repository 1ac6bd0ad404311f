"""Names of files that code computes: what it may read counts, what it writes does not."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from edgerig import computed_names, files, named_files
from edgerig.computed_names import content_sum, matching
from edgerig.named_files import Names, existing, names_in


def patterns(source: str) -> frozenset[str]:
    ast.parse(source)
    return names_in(source.encode(), source).patterns


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ('open(f"{HERE}/conf_{size}.json")', "conf_*.json"),
        ('(HERE / "tab" / f"{size}.csv").read_text()', "tab/*.csv"),
        ('os.path.join(HERE, "tab", size + ".csv")', "tab/*.csv"),
        ('open("%s/fmt_%s.yaml" % (HERE, size))', "fmt_*.yaml"),
        ('open("{}/fmt_{}.yaml".format(HERE, size))', "fmt_*.yaml"),
        ('(HERE / "augment").iterdir()', "augment"),
        ('np.load(HERE / "parts" / name)', "parts/*"),
        ('glob.glob(str(HERE / "*.txt"))', "*.txt"),
        ('HERE.rglob("*.png")', "**/*.png"),
        ('Path(__file__).with_suffix(".json").read_text()', "*.json"),
        ('open(__file__.replace(".py", ".json"))', "*.json"),
    ],
)
def test_what_is_computed_of_a_path_may_be_anything(source: str, pattern: str) -> None:
    assert pattern in patterns(source)


@pytest.mark.parametrize(
    "source",
    [
        'raise ValueError(f"{path}: no such file. Give another.")',
        'f"{major}.{minor}"',
        'version.replace("-", ".")',
        'np.savez(path.with_suffix(".npz"), w=w)',
        '", ".join(names)',
        "width / height",
        'HERE / ".." / name',
        'Path("/usr/share") / name',
        'open(f"log-{epoch}.txt", "w")',
        '(HERE / f"log-{epoch}.txt").open("a")',
        '(Path("out") / name).write_text("x")',
        'np.savez(f"{name}-weights.npz", w=w)',
    ],
)
def test_sentences_numbers_and_what_is_written_are_no_names_of_files_to_read(source: str) -> None:
    assert patterns(source) == frozenset()


def test_files_and_folders_beside_a_module_count_and_bundles_do_not(tmp_path: Path) -> None:
    package = tmp_path / "package"
    inside = ("__init__.py", "a_1.json", "sub/x.csv", "run/bundle.json")
    for name in (*(f"package/{name}" for name in inside), "tables/t.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("1")
    assert matching({"a_*.json", "sub", "run", "tables/*.csv", "**/*.csv", "none_*.x"}, package) == {
        "a_1.json": package / "a_1.json",
        "sub": package / "sub",
        "sub/x.csv": package / "sub" / "x.csv",
        "../tables/t.csv": tmp_path / "tables" / "t.csv",
    }


def test_a_folder_s_digest_is_of_all_below_it_also_where_links_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "t.csv").write_text("1")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "shared")
    (folder / "circle").symlink_to(folder)
    before = content_sum(folder)
    assert before == content_sum(folder) is not None
    (tmp_path / "shared" / "t.csv").write_text("2")
    assert content_sum(folder) != before
    # Of much data the times count, also where size and time of change are put back.
    monkeypatch.setattr(computed_names, "MOST_BYTES", 0)
    before, state = content_sum(folder), (tmp_path / "shared" / "t.csv").stat()
    (tmp_path / "shared" / "t.csv").write_text("3")
    os.utime(tmp_path / "shared" / "t.csv", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert content_sum(folder) != before
    assert content_sum(tmp_path / "nothing") is None


def test_names_and_patterns_are_found_together(tmp_path: Path) -> None:
    for name in ("a.csv", "b_1.csv"):
        (tmp_path / name).write_text("1")
    names = Names(texts=frozenset({"a.csv"}), patterns=frozenset({"b_*.csv"}))
    assert sorted(existing(names, tmp_path)) == ["a.csv", "b_1.csv"]


@pytest.mark.parametrize("module", ["named_files.py", "computed_names.py"])
def test_names_that_another_version_found_are_not_taken(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = named_files._place(Path("package")), files.sha256_file
    monkeypatch.setattr(files, "sha256_file", lambda path: "other" if path.name == module else real(path))
    assert named_files._place(Path("package")) != before
