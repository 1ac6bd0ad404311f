from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.results.bundle import Bundle
from edgerig.results.naming import LONGEST, folder_name

HOSTILE = [
    "", ".", "..", "...", "/", "\\", "../../../../PWN", "a/../../b", "fp16/v2", "/etc/passwd", "C:\\Windows", "a\0b",
    "a\nb", "a\x1b[2Jb", "con", "NUL", "nul.txt", "Com1.tar.gz", "lpt9", "a.", "a ", " a", "-rf", ".hidden", "~", "a:b",
    "*?<>|\"'", "\u00e9", "e\u0301", "Küche", "模型", "🙂", "\ud800", "x" * 5000, "a" * 99 + "/b",
    "..\\..\\b", "café/../x",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_cell_is_called_its_folder_lies_in_the_bundle(tmp_path: Path, text: str) -> None:
    bundle = Bundle(tmp_path / "run")
    folder = bundle.cell(text)
    assert folder.parent == tmp_path / "run" / "cells"
    assert folder.resolve().is_relative_to((tmp_path / "run" / "cells").resolve())
    folder.mkdir(parents=True)
    name = folder.name
    assert name.isascii()
    assert 0 < len(name) <= LONGEST
    assert not name.endswith((".", " "))
    assert not name.startswith((".", "-"))
    assert name.partition(".")[0].lower() not in {"con", "nul", "com1", "lpt9"}


def test_hostile_names_stay_apart() -> None:
    assert len({folder_name(text).lower() for text in HOSTILE}) == len(HOSTILE)
    assert folder_name("a/b") != folder_name("a-b") != folder_name("a b")
    assert folder_name("x" * 500) != folder_name("x" * 501)


@pytest.mark.parametrize("text", ["int8-litert-local", "MyNet-litert-threads2-tcp-127.0.0.1-7433", "a", "conv", "x.y"])
def test_names_that_can_be_folders_stay_as_they_are(text: str) -> None:
    assert folder_name(text) == text


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_texts_have_different_names(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)
    assert "/" not in folder_name(one)
    assert folder_name(folder_name(one)) == folder_name(one)
