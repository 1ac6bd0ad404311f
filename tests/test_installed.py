"""What is installed, held to `importlib.metadata`."""

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from edgerig import installed
from edgerig.installed import EntryPoint, entry_points, version


def package(site: Path, name: str, number: str, points: str = "", info: str = "dist-info") -> None:
    folder = site / f"{name}-{number}.{info}"
    folder.mkdir(parents=True)
    headers = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n\nVersion: none, this is its text\n"
    (folder / ("METADATA" if info == "dist-info" else "PKG-INFO")).write_text(headers)
    if points:
        (folder / "entry_points.txt").write_text(points)


def of_importlib() -> set[tuple[str, str, str]]:
    known = metadata.entry_points()
    groups = [group for group in known.groups if group.startswith("edgerig.")]
    return {(point.name, point.value, point.group) for group in groups for point in known.select(group=group)}


def test_entry_points_and_versions_are_those_of_importlib() -> None:
    assert {tuple(point) for point in entry_points()} == of_importlib()
    names = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    assert {name: version(name) for name in names} == {name: metadata.version(name) for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("info", ["dist-info", "egg-info"])
def test_a_package_that_arrives_is_seen(info: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version("Arriving.Nets") is None
    points = (
        "# mine\n[console_scripts]\nodd = odd:main\n\n[edgerig.runtimes]\n odd = arriving_nets:Engine.Inner [fast]\n"
    )
    package(tmp_path, "arriving_nets", "1.5", points, info)
    assert (version("Arriving.Nets"), version("arriving-nets")) == ("1.5", metadata.version("arriving-nets"))
    assert EntryPoint("odd", "arriving_nets:Engine.Inner [fast]", "edgerig.runtimes") in entry_points()
    assert {tuple(point) for point in entry_points()} == of_importlib()
    (tmp_path / "arriving_nets.py").write_text("class Engine:\n    class Inner: pass\n")
    (point,) = (point for point in entry_points() if point.name == "odd")
    assert point.load().__qualname__ == "Engine.Inner"


def test_of_two_copies_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, number in (("late", "1"), ("early", "2")):
        package(tmp_path / folder, "twice", number, f"[edgerig.tasks]\ntwice = twice:Task{number}\n")
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    assert version("twice") == metadata.version("twice") == "2"
    assert [point.value for point in entry_points() if point.name == "twice"] == ["twice:Task2"]


def test_packages_in_an_archive_are_left_to_importlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "packed", "3", "[edgerig.tasks]\npacked = packed:Task\n")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in (tmp_path / "packed-3.dist-info").iterdir():
            archive.write(path, f"packed-3.dist-info/{path.name}")
    monkeypatch.syspath_prepend(str(tmp_path / "packed.zip"))
    assert version("packed") == "3"
    assert version("no-such-package") is None
    assert {tuple(point) for point in entry_points()} == of_importlib()
    assert "packed" in {point.name for point in entry_points()}


BACKPORTED = """
import sys, importlib_metadata
from importlib.machinery import PathFinder
from pathlib import Path
from edgerig import installed

assert not hasattr(PathFinder, "find_distributions"), "then the backport leaves Python's own finder alone now"
site = Path(sys.argv[1])
sys.path.insert(0, str(site))
known = installed.entry_points()
assert known and not installed.changed()
folder = site / "arriving-1.dist-info"
folder.mkdir()
folder.joinpath("METADATA").write_text("Name: arriving\\nVersion: 1\\n")
folder.joinpath("entry_points.txt").write_text("[edgerig.tasks]\\narriving = arriving:Task\\n")
assert installed.changed()
assert {point.name for point in installed.entry_points()} - {point.name for point in known} == {"arriving"}
"""


def test_packages_are_found_where_the_backport_of_importlib_has_taken_the_place_of_its_finder(tmp_path: Path) -> None:
    pytest.importorskip("importlib_metadata")
    subprocess.run([sys.executable, "-c", BACKPORTED, str(tmp_path)], check=True)


def test_a_folder_is_read_again_only_after_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    installed._folders_in.cache_clear()
    entry_points()
    read = installed._folders_in.cache_info().misses
    version("numpy")
    entry_points()
    version("edgerig")
    assert installed._folders_in.cache_info().misses == read
    package(tmp_path, "new", "1")
    assert version("new") == "1"
    assert installed._folders_in.cache_info().misses == read + 1


def test_a_worker_loads_networks_without_importlibs_metadata_and_without_reading_graphs() -> None:
    """Its import, and reading what every package brings, took a fifth of a start; each network has one."""
    code = (
        "import sys; import edgerig.agent.worker, edgerig.runtimes.litert, edgerig.runtimes.onnxruntime\n"
        "from edgerig import formats; formats.named('tflite'), formats.named('onnx')\n"
        "from edgerig.agent.greeting import describe_device; from edgerig.wire.frame import Limits\n"
        "describe_device((), Limits())\n"
        "heavy = ('importlib.metadata', 'email.message', 'zipfile', 'edgerig.plugin_code', 'edgerig.models.graph', "
        "'edgerig.bounded')\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
