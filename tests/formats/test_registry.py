"""Formats are known by name and suffix; nothing is imported to find out what a file is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgerig import formats, plugin_names
from edgerig.errors import ModelError, SpecError, UnknownNameError
from edgerig.formats import Format
from edgerig.formats.base import LOADED


@pytest.fixture
def forget() -> None:
    """Classes that a test defines are gone after it."""
    before = dict(LOADED)
    yield
    LOADED.clear()
    LOADED.update(before)
    plugin_names.look_again()


def install(folder: Path, module: str, text: str, entries: str) -> None:
    """A package in ``folder`` with a module and entry points."""
    (folder / f"{module}.py").write_text(text)
    package = folder / f"{module}-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(entries)


def test_every_registered_format_is_called_what_it_is_registered_as() -> None:
    for name in plugin_names.names("format"):
        assert formats.named(name).name == name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.tflite", "tflite"),
        ("a.TFLITE", "tflite"),
        ("a.onnx", "onnx"),
        ("a.ubj", "onnx"),
        ("a.json", "onnx"),
        ("a.keras", "keras"),
        ("a.h5", "keras"),
        ("a.hdf5", "keras"),
    ],
)
def test_a_suffix_says_the_format(file: str, name: str) -> None:
    assert formats.format_of(Path(file)).name == name


@pytest.mark.parametrize("file", ["a.h", "a.toml", "a.c-array", "a", "a.", ".tflite", "a.xyz"])
def test_a_stranger_s_suffix_gets_words_that_name_formats_and_how_to_add_one(file: str) -> None:
    with pytest.raises(ModelError) as caught:
        formats.format_of(Path(file))
    hint = caught.value.hint
    for words in (".keras, .h5, .tflite, .onnx or .pt2", "docs/plugins/format.md", "--model-format", "'format'"):
        assert words in hint


def test_the_words_name_formats_of_plugins(odd_nets) -> None:
    with pytest.raises(ModelError) as caught:
        formats.format_of(Path("a.xyz"))
    assert "Formats of plugins: odd, parted." in caught.value.hint


def test_a_format_is_known_once_its_class_is_defined(odd_nets) -> None:
    assert type(formats.named("odd")) is odd_nets.Odd
    assert type(formats.format_of(Path("net.od2"))) is odd_nets.Odd


def test_an_installed_format_is_known_by_its_suffix_and_others_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget: None
) -> None:
    text = "from edgerig.formats import Format\nclass Late(Format):\n    name = 'late'\n    summary = 's'\n"
    text += "    suffixes = ('.late', '.ltx')\n"
    points = "[edgerig.formats]\nlate = {0}:Late\n[edgerig.suffixes]\nltx = {0}:Late\n"
    install(tmp_path, "late_format", text, points.format("late_format"))
    install(tmp_path, "bad_format", "raise SystemExit('imported')", "[edgerig.formats]\nbad = bad_format:Bad\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for file in ("net.late", "net.ltx"):
        assert formats.format_of(Path(file)).name == "late"
    with pytest.raises(ModelError, match="not a model file") as caught:
        formats.format_of(Path("net.xyz"))
    assert "bad, late" in caught.value.hint
    assert "bad_format" not in sys.modules


def test_a_name_in_a_description_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownNameError, match="stranger:Format"):
        formats.named("stranger:Format")


def test_two_formats_of_one_name_or_suffix_are_told_apart_by_nobody(forget: None) -> None:
    class One(Format):
        name = "same"
        summary = "one"
        suffixes = (".same",)

    class Other(Format):
        name = "same"
        summary = "other"
        suffixes = (".same",)

    with pytest.raises(SpecError, match=r"One and .*Other"):
        formats.named("same")
    with pytest.raises(SpecError, match=r"of \.same files"):
        formats.format_of(Path("a.same"))


def test_a_class_that_is_defined_anew_replaces_the_one_before(forget: None) -> None:
    def define(text: str) -> type[Format]:
        class Again(Format):
            name = "again"
            summary = text
            suffixes = (".again",)

        return Again

    define("first")
    second = define("second")
    assert type(formats.named("again")) is second


def test_list_formats_names_them(plugin_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgerig", "list", "formats"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
        timeout=60,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "c-array",
        "c-source",
        "executorch",
        "iree",
        "keras",
        "mnn",
        "ncnn",
        "onnx",
        "openvino",
        "savedmodel",
        "tensorrt",
        "tflite",
        "torch",
        "tvm",
    ]


def test_a_description_in_the_network_s_place_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"TFL3")
    (tmp_path / "net.tflite.json").write_text("{}")
    with pytest.raises(ModelError, match=r"net\.tflite\.json describes a network and is none") as caught:
        formats.format_of(tmp_path / "net.tflite.json")
    assert caught.value.hint == f"Give the network: {tmp_path / 'net.tflite'}"


@pytest.mark.parametrize("typed", ["net_int8.tfilte", "net_int9.tflite"])
def test_a_file_that_is_not_there_gets_the_name_of_the_nearest(tmp_path: Path, typed: str) -> None:
    (tmp_path / "net_int8.tflite").write_bytes(b"TFL3")
    with pytest.raises(ModelError) as caught:
        formats.format_of(tmp_path / typed).payload(tmp_path / typed)
    assert f"Did you mean {tmp_path / 'net_int8.tflite'}?" in str(caught.value)
