from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.datasets.base import Dataset
from edgerig.datasets.table import CsvTable
from edgerig.datasets.table_file import TableForm, open_table
from edgerig.errors import DatasetError
from edgerig.plugin_names import by_address
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.rig.document import read_document
from edgerig.rig.parse import parse_rig
from edgerig.testing.contracts.dataset import DatasetContract

SPLITS = ("train", "validation", "test")


def write(folder: Path, text: str | bytes, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(path: Path, task: str = "classification", **options: Any) -> CsvTable:
    dataset = make("dataset", "csv", CsvTable, {"file": str(path), **options})
    dataset.task = task
    return dataset


def lines(count: int = 30, labels: tuple[str, ...] = ("cat", "dog", "emu")) -> str:
    rows = [f"{i},{i / 4},{labels[i % len(labels)]}" for i in range(count)]
    return "\n".join(["a,b,class", *rows, ""])


def all_rows(dataset: Dataset) -> tuple[np.ndarray, list[Any]]:
    """Inputs and what is right of all splits together, in the order of the first column."""
    whole = [(dataset.split(name), dataset.preprocessing) for name in SPLITS]  # type: ignore[arg-type]
    x = np.concatenate([samples.inputs(slice(None), preprocessing) for samples, preprocessing in whole])
    y = np.concatenate([samples.truth(slice(None), preprocessing) for samples, preprocessing in whole])
    order = np.argsort(x[:, 0])
    return x[order], y[order].tolist()


class TestCsvKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Dataset:
        return make("dataset", "csv", Dataset, {"file": str(write(tmp_path, lines(60))), "normalize": True})


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", ", ").replace("cat", '"cat"').encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: b"sep=;\r\n" + text.replace(",", ";").replace("\n", "\r\n").encode(),
    ],
    ids=["plain", "windows", "utf-16", "tabs", "semicolons", "spaces and quotes", "empty lines", "of Excel"],
)
def test_one_table_has_the_same_samples_whoever_wrote_it(tmp_path: Path, change: Any) -> None:
    dataset = table(write(tmp_path, change(lines())))
    x, y = all_rows(dataset)
    assert dataset.classes == ("cat", "dog", "emu")
    assert x.tolist() == [[i, i / 4] for i in range(30)]
    assert y == [i % 3 for i in range(30)]


def test_decimal_commas_are_read_where_they_are_said_and_refused_where_not(tmp_path: Path) -> None:
    path = write(tmp_path, lines().replace(",", ";").replace(".", ","))
    assert all_rows(table(path, decimal="comma"))[0][3].tolist() == [3, 0.75]
    with pytest.raises(DatasetError, match=r"line 2, column 'b': '0,0' is no number") as caught:
        table(path).prepare()
    assert "decimal: comma" in str(caught.value)
    # A thousand with a point between would be 1.
    thousands = write(tmp_path, "a;class\n1.000;x\n2;y\n")
    with pytest.raises(DatasetError, match=r"'1.000' is no number"):
        table(thousands, decimal="comma").prepare()


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20), st.sampled_from(["point", "comma"]))
def test_every_number_is_the_one_that_was_written(tmp_path_factory: Any, numbers: list[float], decimal: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    cells = [repr(number).replace(".", "," if decimal == "comma" else ".") for number in numbers]
    path.write_text("".join(f"{cell}\n" for cell in ["v;kind", *(f"{cell};x" for cell in cells)]))
    read = open_table(path, TableForm(decimal=decimal))
    assert [read.number(cells[0], line, "v") for line, cells in read.rows()] == numbers


def test_a_first_line_with_a_number_is_a_row(tmp_path: Path) -> None:
    text = lines().partition("\n")[2]
    assert len(all_rows(table(write(tmp_path, text), label=["column 3"]))[1]) == 30
    years = write(tmp_path, "2020,2021,class\n" + text)
    assert len(all_rows(table(years, header=True))[1]) == 30


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # A row that has no number, all its features being unknown.
        ("?,?,cat\n1,2,cat\n3,4,dog\n", 3),
        (",,cat\n1,2,cat\n3,4,dog\n", 3),
        # A decimal comma makes a number, too.
        ("0,5;cat\n1;cat\n2;dog\n", 3),
        # Names: above numbers, sodium among them, and the empty one that pandas gives its index.
        ("Na,Mg,kind\n1,2,cat\n3,4,dog\n", 2),
        (",Mg,kind\n1,2,cat\n3,4,dog\n", 2),
        ("height;kind\n1,5;cat\n2,5;dog\n", 2),
        ("cat,kind\n?,cat\n1,dog\n", 2),
    ],
)
def test_the_rows_tell_whether_the_first_line_is_one_of_them(tmp_path: Path, text: str, rows: int) -> None:
    assert len(list(open_table(write(tmp_path, text), TableForm()).rows())) == rows


@pytest.mark.parametrize(
    "text",
    [
        # Years as names, whose last one would be one more class; or a class that occurs once.
        "2020,2021,kind\n1,2,cat\n3,4,cat\n5,6,dog\n7,8,dog\n",
        "id,2020,kind\n1,2,cat\n3,4,dog\n",
        # Two unknown numbers of a class that occurs once, or columns that are called so.
        "?,na,emu\n1,2,cat\n3,4,dog\n",
    ],
)
def test_a_first_line_that_may_be_both_is_asked_about(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DatasetError, match="is the first line") as caught:
        open_table(path, TableForm())
    assert "header=true" in str(caught.value)
    count = len(text.splitlines())
    for header in (True, False):
        assert len(list(open_table(path, TableForm(header=header)).rows())) == count - header


@pytest.mark.parametrize(
    ("labels", "options", "classes", "numbers"),
    [
        (("1", "10", "9"), {}, ("1", "9", "10"), [0, 2, 1]),
        (("2", "0", "1"), {}, ("0", "1", "2"), [2, 0, 1]),
        (("2", "0", "1"), {"classes": ["idle", "walk", "run"]}, ("idle", "walk", "run"), [2, 0, 1]),
        (("run", "idle", "walk"), {"classes": ["walk", "run", "idle"]}, ("walk", "run", "idle"), [1, 2, 0]),
        # A network of another table may have been trained with another order, which names tell.
        (("yes", "no", "yes"), {}, ("no", "yes"), [1, 0, 1]),
    ],
)
def test_classes_are_numbers_from_0_on_or_names_in_their_order(
    tmp_path: Path, labels: Any, options: Any, classes: Any, numbers: Any
) -> None:
    dataset = table(write(tmp_path, lines(30, labels)), **options)
    assert all_rows(dataset)[1] == numbers * 10
    assert dataset.classes == classes


def test_columns_are_chosen_by_name_and_the_order_is_the_network_s(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},2026-01-{i + 1:02},{'ab'[i % 2]},{i},{i * 2}" for i in range(20))
    path = write(tmp_path, f"id,day,kind,x,y\n{rows}\n")
    chosen = table(path, label=["kind"], features=["y", "x"])
    assert all_rows(chosen)[0][1].tolist() == [2, 1]
    assert all_rows(table(path, label=["kind"], without=["id", "day"]))[0][1].tolist() == [1, 2]
    with pytest.raises(DatasetError, match=r"line 2, column 'day': '2026-01-01' is no number") as caught:
        table(path, label=["kind"]).prepare()
    assert "without: [day]" in str(caught.value)


def test_a_column_may_say_the_split(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'ab'[i % 2]},{('train', 'Test', 'val')[i // 10]}\n" for i in range(30))
    dataset = table(write(tmp_path, "x,class,part\n" + rows), label=["class"], split="part")
    assert [dataset.split(name).inputs(slice(None), dataset.preprocessing)[0, 0] for name in SPLITS] == [0, 20, 10]  # type: ignore[arg-type]


def test_normalizing_takes_mean_and_spread_of_the_training_rows_alone(tmp_path: Path) -> None:
    rows = "".join(f"{i},7,{'ab'[i % 2]},{'train' if i < 20 else 'test'}\n" for i in range(40))
    path = write(tmp_path, "x,same,class,part\n" + rows)
    dataset = table(path, label=["class"], split="part", normalize=True, validation=0.0)
    x = dataset.split("train").inputs(slice(None), dataset.preprocessing)
    assert np.allclose(x.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(x.std(axis=0), [1, 0], atol=1e-6)
    assert dataset.split("test").inputs(slice(None), dataset.preprocessing).mean(axis=0)[0] > 1


def test_normalized_columns_that_never_change_in_training_are_not_blown_up(tmp_path: Path) -> None:
    """Sums of 0.1 round, and of numbers far from 0 the float32 of a network holds no differences."""
    parts = [(0.1, "train")] * 20 + [(0.2, "test")] * 20
    rows = "".join(f"{same},{1.7e9 + i},{'ab'[i % 2]},{part}\n" for i, (same, part) in enumerate(parts))
    path = write(tmp_path, "same,seconds,class,part\n" + rows)
    dataset = table(path, label=["class"], split="part", normalize=True, validation=0.0)
    x, y = (dataset.split(name).inputs(slice(None), dataset.preprocessing) for name in ("train", "test"))  # type: ignore[arg-type]
    assert not x.any()
    assert np.allclose(y[:, 0], 0.1)
    assert dataset.preprocessing.std == (1.0, 1.0)


def test_the_column_of_what_is_right_is_none_that_is_left_out(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i * 2.5},{('train', 'test')[i % 2]},{i + 100}\n" for i in range(20))
    dataset = table(write(tmp_path, "x,height,part,row\n" + rows), "regression", without=["row"], split="part")
    assert [target.name for target in dataset.targets] == ["height"]
    assert [inputs.tolist() for inputs in all_rows(dataset)[0]] == [[i] for i in range(20)]
    assert all_rows(dataset)[1] == [[i * 2.5] for i in range(20)]


def test_quoted_cells_hold_lines_and_quotes_and_the_mark_of_utf_8_is_no_name(tmp_path: Path) -> None:
    rows = "".join(f'{i},"a ""b"", c\nd",5" wide,{i % 2}\n' for i in range(20))
    dataset = table(write(tmp_path, "\ufeffx,note,size,class\n" + rows), encoding="utf-8", features=["x"])
    assert [row.tolist() for row in all_rows(dataset)[0]] == [[i] for i in range(20)]
    assert all_rows(dataset)[1] == [i % 2 for i in range(20)]


def test_real_targets_and_several_labels_are_columns_with_their_names(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i * 2.5},{'' if i == 3 else i % 2}\n" for i in range(20))
    path = write(tmp_path, "x,height,wet\n" + rows)
    regression = table(path, "regression", targets=["height"], features=["x"], units=["m"])
    assert all_rows(regression)[1] == [[i * 2.5] for i in range(20)]
    assert [(target.name, target.unit) for target in regression.targets] == [("height", "m")]
    several = write(
        tmp_path, "x,wet,cold\n" + "".join(f"{i},{i % 2},{'' if i == 3 else i % 3 // 2}\n" for i in range(20))
    )
    labels = table(several, "multilabel", label=["wet", "cold"])
    assert all_rows(labels)[1][:4] == [[0, 0], [1, 0], [0, 1], [1, -1]]
    assert labels.classes == ("wet", "cold")


def test_rows_with_empty_cells_are_an_error_or_counted(tmp_path: Path) -> None:
    path = write(tmp_path, lines().replace("4,1.0,", "4,NA,").replace("8,2.0,emu", "8,2.0,"))
    with pytest.raises(DatasetError, match=r"line 6, column 'b': nothing stands there"):
        table(path).prepare()
    dataset = table(path, skip_missing=True)
    assert any("2 rows with an empty cell are left out, of 30" in text for text in said_by(dataset))
    assert len(all_rows(dataset)[1]) == 28


def said_by(dataset: CsvTable) -> list[str]:
    """What a dataset tells while it is prepared."""
    lines: list[str] = []

    class Telling(Progress):
        def log(self, text: str) -> None:
            lines.append(text)

    dataset.prepare(Telling())
    return lines


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_counts_the_rows_is_told_unless_it_was_named(first: int, tmp_path: Path) -> None:
    """As pandas writes its index, without a name: rows in the order of their classes would give all of them away."""
    rows = "".join(f"{first + i},{i % 7},{i},{'ab'[i // 10]}\n" for i in range(20)).replace(",19,", ",21,")
    path = write(tmp_path, f",a,b,class\n{rows}")
    (line,) = said_by(table(path))
    assert "column '' counts the rows" in line
    assert said_by(table(path, without=[""])) == []
    assert said_by(table(path, features=["", "a"])) == []


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("a,b,class\n1,2\n", {}, "line 2: 2 cells, where there are 3 columns"),
        ("a,a,class\n1,2,x\n", {}, "two columns called 'a'"),
        ("a,b,class\n", {}, "has no rows"),
        ("", {}, "has 0 columns"),
        ("a b c\n1 2 x\n", {}, "has 1 columns"),
        ("a,class\n1,x\n2,y\n", {"label": ["klass"]}, "no column 'klass', which 'label' names"),
        ("a,class\n1,x\n2,y\n", {"features": ["a", "class"], "label": ["class"]}, "uses 'class' twice"),
        ("a,class\n1,x\n2,y\n", {"without": ["a"]}, "leaves no column for the network"),
        ("a,b,class\n1,2,x\n2,3,y\n", {"label": ["a", "class"]}, "a class stands in one"),
        ("a,class\n1,x\n2,y\n", {"classes": ["x", "z"]}, "line 3: 'y' is none of the classes x, z"),
        ("a,class\n1,0.5\n2,1.5\n", {}, "count no classes"),
        ("a,class,part\n1,x,train\n2,y,tset\n", {"label": ["class"], "split": "part"}, "'tset' is no split"),
        (
            "a,class,part\n1,x,train\n2,y,train\n",
            {"label": ["class"], "split": "part"},
            "no row of train, or none of test",
        ),
        ("a,class\n1e999,x\n2,y\n", {}, "'1e999' is beyond what float32 holds"),
        ("a,class\n-4e38,x\n2,y\n", {}, "line 2, column 'a': '-4e38' is beyond what float32 holds"),
        ("a,class\n1,x\n2,y\n", {"features": ["a", "class"]}, "no column is left for what is right"),
        # 1 would be the second class, which is called 2.
        ("a,class\n1,0\n2,1\n3,2\n", {"classes": ["1", "2", "3"]}, "line 2: '0' is none of the classes 1, 2, 3"),
        # All rows behind it would be lost, in a column that nobody reads.
        (
            'a,class,note\n1,x,\n2,y,"open\n3,x,\n',
            {"without": ["note"]},
            "line 3: a quote is not closed where its cell ends",
        ),
        # Inches: the quote of line 3 would end the cell that begins in line 2, and two rows be one.
        ('a,class,note\n1,x,"5 in\n2,y,"6 in\n3,x,\n', {"without": ["note"]}, "line 2: a quote is not closed where"),
        ('a,class,note\n1,x,"\n', {"without": ["note"]}, "line 2: a quote is not closed where its cell ends"),
        ("a,class\ninf,x\n2,y\n", {}, "'inf' is no number"),
        ("für,class\n1,x\n".encode("cp1252"), {}, "is no text in utf-8"),
        (b"PK\x03\x04\x00\x00", {}, "is no text"),
    ],
)
def test_what_is_wrong_of_a_table_is_told_with_its_place(tmp_path: Path, text: Any, options: Any, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        table(write(tmp_path, text), **options).prepare()


def test_of_anomalies_the_normal_class_is_the_first(tmp_path: Path) -> None:
    known = table(write(tmp_path, lines(20, ("anomalous", "normal"))), "anomaly")
    assert all_rows(known)[1] == [1, 0] * 10
    path = write(tmp_path, lines(20, ("broken", "fine")))
    with pytest.raises(DatasetError, match="which of broken, fine in column 'class' is normal"):
        table(path, "anomaly").prepare()
    assert all_rows(table(path, "anomaly", classes=["fine", "broken"]))[1] == [1, 0] * 10


def test_a_file_is_named_where_its_dataset_would_be(tmp_path: Path) -> None:
    assert by_address("dataset", "my data/mine.NPZ", {"test": 0.5}) == (
        "npz",
        {"file": "my data/mine.NPZ", "test": 0.5},
    )
    assert by_address("dataset", "https://example.org/t.csv", {}) == ("csv", {"file": "https://example.org/t.csv"})
    assert by_address("dataset", "data/street", {}) == ("stored", {"address": "data/street"})
    assert by_address("model", "mine.csv", {}) == ("mine.csv", {})
    write(tmp_path, lines())
    rig = write(tmp_path, "model: {use: mlp, values: 2, learns: class}\ndataset: mine.csv\n", "rig.yaml")
    part = parse_rig(read_document(rig)).dataset
    assert (part.use, part.options) == ("csv", {"file": str(tmp_path / "mine.csv")})
