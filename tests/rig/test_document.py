import contextlib
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.errors import SpecError
from edgerig.rig.document import Document, plain_copy, read_document, set_value


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    return path


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, "name: a\nmodel:\n  use: b\nmatrix:\n  - runtimes:\n      - litert\n"))
    assert document.line(("model", "use")) == 3
    assert document.line(("matrix", 0, "runtimes", 0)) == 6
    assert document.where(("model", "use")) == "rig.yaml:3: model.use"


def test_a_place_that_is_not_in_the_file_points_at_its_nearest_parent(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, "name: a\nmodel:\n  use: b\n"))
    assert document.line(("model", "train", "epochs")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [", "not valid YAML"),
        ("- a\n- b\n", "a rig file is a mapping"),
        ("", "a rig file is a mapping"),
        ("name: a\nname: b\n", "rig.yaml:2: the key 'name' stands here twice"),
        ("a: &x [*x]\n", "nested too deep"),
        ("a: !!python/object/apply:os.system ['true']\n", "has no place in a rig file"),
        ("a: !!python/name:os.system\n", "not valid YAML"),
    ],
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("[", r"\[")):
        read_document(write(tmp_path, text))


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        read_document(tmp_path / "none.yaml")


def test_a_file_that_is_not_text_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        read_document(path)


@pytest.mark.parametrize(
    ("assignment", "data"),
    [
        ("measure.samples=200", {"measure": {"samples": 200}, "list": ["a", {"use": "b"}], "part": "mnist"}),
        ("list.0=c", {"list": ["c", {"use": "b"}], "part": "mnist"}),
        ("list.0.threads=2", {"list": [{"use": "a", "threads": 2}, {"use": "b"}], "part": "mnist"}),
        ("part.full=true", {"list": ["a", {"use": "b"}], "part": {"use": "mnist", "full": True}}),
        ("list=[x, y]", {"list": ["x", "y"], "part": "mnist"}),
    ],
)
def test_set_changes_one_value(assignment: str, data: dict[str, object]) -> None:
    document = Document({"list": ["a", {"use": "b"}], "part": "mnist"}, "test")
    set_value(document, assignment)
    assert document.data == data


@pytest.mark.parametrize("assignment", ["samples", "=3", "list.7=1", "list.x=1", "number.deeper=1", "number.a.b=1"])
def test_set_refuses_what_leads_nowhere(assignment: str) -> None:
    with pytest.raises(SpecError, match="--set"):
        set_value(Document({"list": ["a"], "number": 3}, "test"), assignment)


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fall_over(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "rig.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(SpecError):
        read_document(path)


def bomb(levels: int, width: int = 10) -> str:
    """Aliases within aliases: ``width ** levels`` values in a few lines."""
    lines = [f"a0: &a0 [{','.join('x' * width)}]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bomb(7), "stands for more than 250,000 values"),
        (bomb(30), "stands for more than 250,000 values"),
        (bomb(40, width=1), "nested too deep"),
        (bomb(3, width=2).replace("*a1", "*a2", 1), "nested too deep|not valid YAML"),
        ("a: " + "[" * 200_000, "nest"),
        ("a: " + "{x: " * 33 + "1" + "}" * 33, "nested too deep"),
        ("a: 1\n" * 2_000_000, "that is no rig file"),
        ("a: .inf", "not a finite number"),
        ("a: [1, {b: -.inf}]", "not a finite number"),
        ("a: .nan", "not a finite number"),
        ("a: " + "9" * 5000, "a number of 5,000 characters"),
        ("a: 0x" + "f" * 5000, "a number of 5,002 characters"),
        ("a: 1." + "0" * 5000, "a number of 5,002 characters"),
        # Sexagesimal, which takes the square of its length to read.
        ("a: 1" + ":1" * 3_000_000, "a number of 6,000,001 characters"),
        ("a: 0100", "0100 is an octal number"),
        ("a: [1, -007]", "-007 is an octal number"),
        ("a: 1:30", "1:30 counts in sixties"),
        ("a: 2001-99-99", "not valid YAML"),
        ("a: {[b, c]: 1}", "as a key; keys are words"),
        ("? {b: c}\n: 1", "as a key; keys are words"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused_and_not_unfolded(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        read_document(write(tmp_path, text))


def test_aliases_within_the_bounds_are_what_they_refer_to(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, bomb(3)))
    assert document.data["a2"] == [[["x"] * 10] * 10] * 10


def test_a_dict_that_holds_itself_or_too_much_is_refused() -> None:
    rig: dict[str, object] = {"name": "x"}
    rig["model"] = rig
    with pytest.raises(SpecError, match="holds itself"):
        plain_copy(rig)
    with pytest.raises(SpecError, match="250,000 values"):
        plain_copy({"matrix": ["litert"] * 250_001})


def test_a_rig_given_as_a_dict_is_not_changed_by_settings() -> None:
    rig = {"list": [{"use": "a"}]}
    document = Document(plain_copy(rig), "test")
    set_value(document, "list.0.use=b")
    assert rig == {"list": [{"use": "a"}]}


def test_a_model_file_or_a_folder_in_place_of_a_rig_file_is_told_what_to_do(tmp_path: Path) -> None:
    model = tmp_path / "my net.tflite"
    model.write_bytes(b"\xff\xfe\x00TFL3")
    with pytest.raises(SpecError, match="not UTF-8") as caught:
        read_document(model)
    command = (caught.value.hint or "").partition("measure it: ")[2]
    assert shlex.split(command) == ["edgerig", "bench", str(model)]
    with pytest.raises(SpecError, match="Is a directory") as caught:
        read_document(tmp_path)
    assert "rig file itself" in (caught.value.hint or "")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_told_how_to_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rig.yaml"
    path.write_bytes("name: für\n".encode(encoding))
    with pytest.raises(SpecError, match="Save it as UTF-8"):
        read_document(path)


def test_a_file_of_windows_is_read_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\r\nmeasure:\r\n  samples: 3\r\n")
    document = read_document(path)
    assert document.data == {"name": "x", "measure": {"samples": 3}}
    assert document.line(("measure", "samples")) == 3
