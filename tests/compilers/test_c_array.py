"""A model as a C header: it compiles without a warning, and holds the same bytes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.needs import need

from edgerig.artifact import Artifact
from edgerig.compilers import c_array, flatbuffer
from edgerig.compilers.c_array import KEYWORDS, CArray, CArraySettings, c_header, c_identifier
from edgerig.errors import CompileError, ModelError
from edgerig.files import sha256
from edgerig.models.files import open_artifact
from edgerig.models.graph.tflite_check import buffers_outside
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
DIALECTS = ["c99", "c11", "c17", "c++98", "c++11", "c++17"]
PROGRAM = """
#include <stdio.h>
#include "net.h"
#include "net.h"
int main(void) {
  if ((size_t)net % 16 != 0 || sizeof net != net_len) return 2;
  return fwrite(net, 1, net_len, stdout) == net_len ? 0 : 3;
}
"""


@pytest.fixture(scope="module")
def header(float_net: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return CArray().compile(float_net, tmp_path_factory.mktemp("header"))


def numbers(text: str) -> bytes:
    return bytes(int(value, 16) for value in re.findall(r"0x[0-9a-f]{2}\b", text))


@pytest.mark.slow
def test_the_header_tells_what_it_holds(header: Artifact, float_net: Artifact) -> None:
    text = Path(header.path).read_text()
    assert Path(header.path).name == "net.h"
    assert (header.format, header.scheme, header.inputs) == ("c-array", "float32", float_net.inputs)
    for wanted in (float_net.sha256, "net.tflite", f"bytes:   {float_net.size}", "uint8_t net[", "net_len ="):
        assert wanted in text
    assert numbers(text) == float_net.read()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_compiles_without_a_warning_and_gives_the_bytes_back(
    dialect: str, header: Artifact, float_net: Artifact, tmp_path: Path
) -> None:
    plus = dialect.startswith("c++")
    compiler = "g++" if plus else "gcc"
    need(compiler)
    source = tmp_path / ("main.cpp" if plus else "main.c")
    source.write_text(PROGRAM)
    # C++98 has no <stdint.h> under -pedantic in old libraries only; glibc's is fine.
    subprocess.run(
        [compiler, f"-std={dialect}", *STRICT, f"-I{Path(header.path).parent}", str(source), "-o", str(tmp_path / "a")],
        check=True,
        capture_output=True,
    )
    assert subprocess.run([tmp_path / "a"], check=True, capture_output=True).stdout == float_net.read()


def test_the_name_can_be_chosen(float_net: Artifact, tmp_path: Path) -> None:
    made = CArray(CArraySettings(name="my net")).compile(float_net, tmp_path)
    text = Path(made.path).read_text()
    assert "uint8_t my_net[" in text
    assert "my_net_len =" in text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("net-int8.v2", "net_int8_v2"),
        ("2nd", "model_2nd"),
        ("_x", "x"),
        ("a__b", "a_b"),
        ("class", "class_model"),
        ("main", "main_model"),
        ("", "model"),
        ("größe", "gr_e"),
        ("数字", "model"),
    ],
)
def test_names_are_made_fit_for_c(text: str, name: str) -> None:
    assert c_identifier(text) == name


@pytest.mark.slow
@given(st.text())
def test_every_text_gives_a_free_identifier(text: str) -> None:
    name = c_identifier(text)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    assert "__" not in name
    assert name not in KEYWORDS


@given(st.binary(max_size=100), st.text(max_size=30))
def test_no_file_name_breaks_the_comment(data: bytes, source: str) -> None:
    artifact = Artifact(
        "x", "tflite", sha256(data), len(data), (), (), "a" + source.replace("/", "*/").replace("\0", "")
    )
    text = c_header(data, "x", artifact).decode()
    comment, _, rest = text.partition("*/")
    assert rest.lstrip().startswith("#ifndef EDGERIG_X_H")
    assert comment.count("\n") == 10
    assert numbers(rest) == data


def written_outside(data: bytes) -> bytes:
    """The file with the content of its buffers behind the FlatBuffer, as writers of large files put it."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.unpack(data)
    contents = [None if buffer.data is None else bytes(buffer.data) for buffer in model.buffers]
    for _ in range(2):  # offsets are known once the FlatBuffer's length is
        length = len(flatbuffer.pack(model))
        for buffer, content in zip(model.buffers, contents, strict=True):
            if content:
                buffer.data, buffer.offset, buffer.size = None, length, len(content)
                length += len(content)
    packed = flatbuffer.pack(model) + b"".join(content for content in contents if content)
    assert buffers_outside(packed)
    assert schema.Model.GetRootAs(packed, 0).SubgraphsLength() == 1
    return packed


def compiled_array(data: bytes, folder: Path) -> bytes:
    (folder / "net.tflite").write_bytes(data)
    made = CArray().compile(open_artifact(folder / "net.tflite"), folder / "out")
    return numbers(Path(made.path).read_text().partition("*/")[2])


def first_output(data: bytes, sample: np.ndarray) -> np.ndarray:
    return Oracle(data).run([sample])[0]


def test_weights_outside_the_flatbuffer_are_put_inside(float_net: Artifact, tmp_path: Path) -> None:
    original = float_net.read()
    array = compiled_array(written_outside(original), tmp_path)
    assert buffers_outside(array) == []
    sample = np.random.default_rng(0).normal(size=float_net.inputs[0].shape).astype(np.float32)
    np.testing.assert_array_equal(first_output(array, sample), first_output(original, sample))


def test_numbers_stand_where_a_board_can_load_them(tmp_path: Path) -> None:
    """Files of other writers may start numbers of 8 bytes at an odd multiple of 4."""
    numbers_of_8 = np.arange(3) + (1 << 40)

    def network(padding: int) -> tuple[bytes, int]:
        net = TfliteBuilder()
        x, y = net.tensor("x", (1, 3), "int64"), net.tensor("y", (1, 3), "int64")
        constant = net.tensor("c", (3,), "int64", numbers_of_8)
        net.tensor("padding", (padding,), "int8", np.ones(padding))
        net.operator("ADD", [x, constant], [y], "AddOptions")
        data = net.build([x], [y])
        return data, data.index(numbers_of_8.tobytes())

    data = next(data for data, start in map(network, range(1, 16)) if start % 8 == 4)
    assert compiled_array(data, tmp_path).index(numbers_of_8.tobytes()) % 16 == 0
    aligned = next(data for data, start in map(network, range(1, 16)) if start % 8 == 0)
    assert compiled_array(aligned, tmp_path) == aligned


def test_weights_in_another_file_are_refused(float_net: Artifact, tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.unpack(float_net.read())
    group, external = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
    group.name, external.id, external.length = b"weights.bin", 1, 4
    model.externalBufferGroups, model.externalBuffers = [group], [external]
    model.subgraphs[0].tensors[0].externalBuffer = 1
    with pytest.raises(ModelError, match="another file"):
        flatbuffer.in_one_piece(flatbuffer.pack(model), "net.tflite")


def test_what_no_board_holds_does_not_become_text(
    float_net: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c_array, "LARGEST", 1000)
    with pytest.raises(CompileError, match="holds 1,000 B at most"):
        CArray().compile(float_net, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_int8_keeps_its_name_and_scheme(float_net: Artifact, blobs, tmp_path: Path) -> None:
    from edgerig.compilers.quantize import Int8

    made = CArray().compile(Int8().compile(float_net, tmp_path, blobs), tmp_path)
    assert Path(made.path).name == "net_int8.h"
    assert (made.name, made.scheme) == ("net_int8", "int8")
    assert [origin.tool for origin in made.origins][-3:] == ["float32", "int8", "c-array"]


def test_a_changed_model_is_refused(float_net: Artifact, tmp_path: Path) -> None:
    copy = tmp_path / "net.tflite"
    copy.write_bytes(b"x" + Path(float_net.path).read_bytes())
    with pytest.raises(ModelError, match="SHA-256"):
        CArray().compile(msgspec.structs.replace(float_net, path=str(copy)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_keras_is_refused() -> None:
    assert "reads onnx or tflite, not keras" in (CArray().refuses("keras", "float32") or "")
