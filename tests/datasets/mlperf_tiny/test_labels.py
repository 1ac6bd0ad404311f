"""`y_labels.csv` with all its quirks."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.datasets.mlperf_tiny.labels import Label, read_labels
from edgerig.errors import DatasetError


def labels_in(tmp_path: Path, text: str | bytes) -> list[Label]:
    path = tmp_path / "y_labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_labels(path)


@pytest.mark.parametrize(
    "text",
    [
        "a.bin,12,7\nb.bin,12,0\n",
        "a.bin, 12, 7\nb.bin, 12, 0\n",
        "a.bin,12,7\r\nb.bin,12,0",
        "\n a.bin ,12,7,\n\n\nb.bin,12,0,,\n \n",
        "file,classes,label\na.bin,12,7\nb.bin,12,0\n",
        "File name, total number of classes, class, window, stride\na.bin,12,7\nb.bin,12,0\n",
        '\ufeff"a.bin","12","7"\n"b.bin", "12", "0"\n',
    ],
    ids=["plain", "spaces", "other line ends", "blank lines", "header", "long header", "quotes and a byte order mark"],
)
def test_files_that_differ_in_form_say_the_same(tmp_path: Path, text: str) -> None:
    labels = labels_in(tmp_path, text)
    assert [(entry.file, entry.classes, entry.label) for entry in labels] == [("a.bin", 12, 7), ("b.bin", 12, 0)]
    assert {entry.window_bytes for entry in labels} == {None}


def test_windows_have_their_bytes_and_their_stride(tmp_path: Path) -> None:
    assert labels_in(tmp_path, "\na.bin, 2, 1, 2560, 512\n") == [Label("a.bin", 2, 1, 2560, 512, 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no label"),
        ("file,classes,label\n", "holds no label"),
        ("a.bin,12,7\nb.bin,12\n", "line 2: there are 2 fields"),
        ("a.bin,2,1,2560\n", "line 1: there are 4 fields"),
        ("a.bin,12,7\n\nb.bin,12,yes\n", "line 3: 'yes' is no whole number"),
        ("a.bin,12,7\nname,classes,label\n", "line 2: 'classes' is no whole number"),
        ("a.bin,12,12\n", "line 1: the label 12 of a.bin is none of 12 classes"),
        ("a.bin,12,-1\n", "line 1: the label -1 of a.bin"),
        ("a.bin,12,0.5\n", "line 1: '0.5' is no whole number"),
        ("../a.bin,12,0\n", "line 1: '../a.bin' is no file within the folder"),
        ("/etc/passwd,12,0\n", "line 1: '/etc/passwd' is no file"),
        (",12,0\n", "line 1: '' is no file"),
        ("a.bin,2,1,2560,0\n", "line 1: windows of 2560 bytes every 0 bytes"),
        ("a.bin,12,1\nb.bin,12,1\na.bin,12,2\n", "line 3: a.bin has label 2 here and 1 in line 1"),
        ("a.bin,12,1\nb.bin,12,1\n\na.bin,12,1\n", "line 4: a.bin is listed already in line 1, and would count twice"),
        ("a.bin,12,1\n./a.bin,12,1\n", "line 2: ./a.bin is listed already in line 1"),
        ("a.bin,2,1,2560,512\na.bin,2,1,2560,1024\n", "line 2: a.bin is listed already in line 1"),
        (b"\xff\xfea\x00,\x00", "is no text"),
        ("a.bin,12,1\n" + "b" * 200_000 + "\n", "line 2: field larger than field limit"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(DatasetError) as error:
        labels_in(tmp_path, text)
    assert said in error.value.message
    assert error.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Cannot read .*y_labels.csv"):
        read_labels(tmp_path / "y_labels.csv")
