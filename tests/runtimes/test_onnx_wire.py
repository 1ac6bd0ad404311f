"""Names of outputs and types of operators, held against the onnx package's own reading."""

from __future__ import annotations

from pathlib import Path

import onnx

from edgerig.runtimes.onnx_wire import operator_types, output_names
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx


def test_names_are_those_that_onnx_reads(tmp_path: Path) -> None:
    for path in (dense_onnx(tmp_path / "dense.onnx", batch="n"), two_in_three_out_onnx(tmp_path / "several.onnx")):
        expected = tuple(output.name for output in onnx.load(str(path)).graph.output)
        assert expected
        assert output_names(path.read_bytes()) == expected
        assert operator_types(path.read_bytes()) == {node.op_type for node in onnx.load(str(path)).graph.node}


def test_a_name_may_have_any_letters(tmp_path: Path) -> None:
    path = dense_onnx(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    model.graph.output[0].name = "größe/" + "x" * 300
    assert output_names(model.SerializeToString()) == ("größe/" + "x" * 300,)


def test_bytes_that_are_no_file_have_none(tmp_path: Path) -> None:
    whole = dense_onnx(tmp_path / "net.onnx").read_bytes()
    assert output_names(b"") == ()
    assert output_names(b"\x08\xff" * 40) == ()
    assert output_names(b"\xff" * 100) == ()
    assert operator_types(b"\xff" * 100) == frozenset()
    for size in range(len(whole)):
        assert output_names(whole[:size]) in ((), ("y",))
