"""Texts from elsewhere, at every door: what a terminal or a browser would obey is shown instead."""

import json
import subprocess
import sys
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.text import _CLEAN, cut, harmless, harmless_json, lines, one_line

#: Title of the window, cursor, C1, direction, line separator, NUL, backspace, carriage return over what stood there.
NASTY = "net\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj.exe\u2066\u2028x\x00\b\b\rgone\u200b\ufeff"
OBEYED = {"Cc", "Cf", "Zl", "Zp", "Cs"}


def obeyed(text: str) -> list[str]:
    """Characters in ``text`` that do something instead of being seen; joiners that scripts need are none."""
    return [char for char in text if unicodedata.category(char) in OBEYED and char not in "\n\t\u200c\u200d"]


def test_one_line_is_one_line_and_shows_what_it_does_not_pass_on():
    shown = one_line(NASTY)
    assert not obeyed(shown)
    assert "\n" not in shown
    assert r"\x1b]0;owned\x07" in shown
    assert r"\u202egpj.exe" in shown
    assert one_line("  two\r\n\tlines ") == "two lines"


def test_lines_keep_their_breaks():
    assert lines("a\r\nb\tc\x1b[1m") == "a\nb\tc\\x1b[1m"


@given(st.text(st.characters(codec=None)))
def test_nothing_that_is_obeyed_is_left_and_cleaning_twice_is_cleaning_once(text):
    for clean in (one_line, lines, harmless):
        once = clean(text)
        assert not [char for char in obeyed(once) if unicodedata.category(char) != "Cf"]
        assert not set(once) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\x1b\x9b\x00")
        assert clean(once) == once


@given(st.text())
def test_ordinary_text_of_any_language_stays(text):
    ordinary = "".join(char for char in text if unicodedata.category(char)[0] in "LNPSM")
    assert harmless(ordinary) == ordinary


def test_long_texts_are_cut_and_say_how_long_they_were():
    assert len(one_line("x" * 10_000)) == 500
    assert one_line("x" * 10_000).endswith("… (10,000 characters)")
    assert cut("abc", 3) == "abc"


@pytest.mark.slow
@pytest.mark.parametrize("row", [" ", "\n", " \n", "\\", "\x1b", "\u202e"])
def test_the_cost_of_a_long_row_grows_with_its_length(row):
    # With its square, this would take the better part of an hour.
    text = row * 1_000_000 + "x"
    assert len(one_line(text)) <= 500
    assert len(lines(text)) <= 8000


@given(st.text())
def test_json_says_the_same_and_holds_nothing_that_is_obeyed(text):
    document = msgspec.json.encode({"name": text}).decode()
    cleaned = harmless_json(document)
    assert json.loads(cleaned) == {"name": text}
    assert not set(cleaned) & set("\x9b\u202e\u2066\x7f\u2028")


# ---- doors


@pytest.fixture
def nasty_network(tmp_path):
    """A network whose name, and whose tensors' names, would rename the window and turn the line around."""
    import onnx
    from onnx import TensorProto, helper

    name = NASTY.replace("\x00", "")
    x = helper.make_tensor_value_info(f"x{name}", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info(f"y{name}", TensorProto.FLOAT, [1, 4])
    node = helper.make_node("Relu", [x.name], [y.name], name=f"node{name}")
    graph = helper.make_graph([node], f"graph{name}", [x], [y])
    path = tmp_path / f"net{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgerig", *map(str, words)], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--json",), ("--plan",)])
def test_inspect_shows_names_and_obeys_none(nasty_network, more):
    done = run("inspect", nasty_network, *more)
    assert done.returncode == 0, done.stderr
    assert not obeyed(done.stdout + done.stderr)
    assert "gpj.exe" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", NASTY.replace("\x00", "") + ".onnx"),
        (NASTY.replace("\x00", ""),),
        ("list", "\x1b[2Jx"),
        ("run", "\x1b[2J.yaml"),
        ("bench", "\x1b[2J.onnx"),
        ("report", "\x1b[2J"),
        ("inspect", "--\x1b[2J"),
    ],
)
def test_errors_show_what_was_given_and_obey_nothing(words):
    done = run(*words)
    assert done.returncode
    assert "Traceback" not in done.stderr
    assert not obeyed(done.stdout + done.stderr)
    assert "\\x1b" in done.stderr


#: Options of bench: a run as short as can be, whose results are printed.
QUICK = ("--rounds", "1", "--seconds", "0", "--json")


@pytest.mark.slow
def test_bench_and_its_reports_show_names_and_obey_none(nasty_network, tmp_path):
    done = run("bench", nasty_network, "--samples", "40", *QUICK, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert not obeyed(done.stdout + done.stderr)
    assert_shown(tmp_path / "out")


def assert_shown(bundle):
    """Whether the files of a bundle show what is nasty, and hold nothing that a terminal obeys."""
    for name in ("report.html", "report.md", "report.json", "results.json"):
        text = (bundle / name).read_text()
        assert not obeyed(text), name
        assert "owned" in text, name


@pytest.mark.slow
def test_classes_of_a_dataset_are_shown_and_not_obeyed(tmp_path):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
    from PIL import Image

    for number in range(3):
        folder = tmp_path / "photos" / f"{number}{NASTY.replace(chr(0), '')}"
        folder.mkdir(parents=True)
        for at in range(6):
            Image.new("RGB", (8, 8), (80 * number, 40 * at, 9)).save(folder / f"{at}\x1b[2J.png")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 3, 8, 8]), ("y", [1, 3]))]
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(192, 3)).astype(np.float32), "w")
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    photos = ("--dataset", "folder", "--dataset-option", f"root={tmp_path / 'photos'}")
    done = run("bench", tmp_path / "net.onnx", *photos, "--samples", "6", *QUICK, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert not obeyed(done.stdout + done.stderr)
    assert_shown(tmp_path / "out")


class Speaking:
    """A board's console that answers with what a terminal would obey."""

    times = ""

    def greeting(self) -> str:
        return "ready\n> "

    def ask(self, command: str) -> str:
        return f"{NASTY}\n> "

    def close(self) -> None:
        pass


@pytest.mark.parametrize("raw", [False, True])
def test_console_of_a_board_passes_on_control_characters_only_if_asked_to(monkeypatch, raw):
    from click.testing import CliRunner

    from edgerig.cli import firmware_command

    monkeypatch.setattr(firmware_command, "_terminal", lambda *_: Speaking())
    words = ["serial:///dev/null", "-c", "CMD=1", *(["--raw"] if raw else [])]
    done = CliRunner().invoke(firmware_command.console, words, color=True)
    assert done.exit_code == 0
    assert bool(obeyed(done.stdout)) == raw
    assert "owned" in done.stdout


def test_nothing_harmful_is_printable() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    harmful = _CLEAN.findall(every)
    assert len(harmful) > 200
    assert not [character for character in harmful if character.isprintable()]
    assert harmless("a\u200bb\n") == "a\\u200bb\n"
