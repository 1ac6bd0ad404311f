"""The contract of a framework of the conversion grid: subclass `ConversionContract`, give the fixture ``conversion``.

::

    class TestMine(ConversionContract):
        @pytest.fixture(scope="class")
        @classmethod
        def conversion(cls):
            return Mine()
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import EngineError, UnknownNameError, UsageError
from edgerig.suites.conversion_grid.compare import draw_inputs, largest_error, reference_of
from edgerig.suites.conversion_grid.conversion import ONNXConversion

SIZE = 6


class ConversionContract:
    """Tests that every `ONNXConversion` passes."""

    #: Networks that are exported here; the first one by default.
    tried: tuple[str, ...] = ()

    @pytest.fixture(scope="class")
    @classmethod
    def conversion(cls) -> ONNXConversion:
        """The framework under test."""
        raise NotImplementedError("give the fixture `conversion`")

    def test_it_says_what_it_is(self, conversion: ONNXConversion) -> None:
        assert conversion.name
        assert conversion.summary
        assert conversion.imports or conversion.networks, "it neither exports nor imports"
        assert all(about for about in conversion.networks.values()), "every network says what is special about it"
        assert conversion.versions(), "versions of its packages stand beside the outcome: name them in `packages`"

    def test_what_it_exports_is_a_sound_file_that_says_what_the_network_says(
        self, conversion: ONNXConversion, tmp_path: Path
    ) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        if not conversion.networks:
            pytest.skip("it exports nothing")
        for name in self.tried or list(conversion.networks)[:1]:
            path = tmp_path / f"{name}.onnx"
            exported = conversion.export(name, conversion.opsets[0], path)
            onnx.checker.check_model(str(path))
            samples = draw_inputs(exported.inputs)
            reference = reference_of(exported.run, samples, exported.classes)
            assert not reference.vacuous, f"{name}: {reference.vacuous}; other weights?"
            evaluator = ReferenceEvaluator(str(path))
            answers = [[np.asarray(output) for output in evaluator.run(None, sample)] for sample in samples]
            error, allowed, why = largest_error(reference, answers)
            assert error <= allowed, f"{name}: {why}"

    def test_an_export_says_which_opset_it_has(self, conversion: ONNXConversion, tmp_path: Path) -> None:
        import onnx

        if not conversion.networks:
            pytest.skip("it exports nothing")
        name, opset = (self.tried or tuple(conversion.networks))[0], conversion.opsets[0]
        conversion.export(name, opset, tmp_path / "net.onnx")
        imports = onnx.load(str(tmp_path / "net.onnx")).opset_import
        assert opset in [entry.version for entry in imports if entry.domain in ("", "ai.onnx")]

    def test_unknown_networks_and_opsets_are_refused(self, conversion: ONNXConversion, tmp_path: Path) -> None:
        if not conversion.networks:
            pytest.skip("it exports nothing")
        with pytest.raises(UnknownNameError):
            conversion.export("no-such-network", conversion.opsets[0], tmp_path / "net.onnx")
        with pytest.raises(UsageError):
            conversion.export(next(iter(conversion.networks)), 3, tmp_path / "net.onnx")

    def test_what_it_imports_it_computes(self, conversion: ONNXConversion, tmp_path: Path) -> None:
        path = tmp_path / "net.onnx"
        weights = _dense(path)
        if not conversion.imports:
            with pytest.raises(EngineError):
                conversion.load(path)
            return
        samples = draw_inputs({"x": ((1, SIZE), "float32")})
        reference = reference_of(lambda sample: [np.maximum(sample["x"] @ weights, 0)], samples)
        loaded = conversion.load(path)
        error, allowed, why = largest_error(reference, [conversion.run(loaded, sample) for sample in samples])
        assert error <= allowed, why

    def test_a_file_that_is_none_is_refused(self, conversion: ONNXConversion, tmp_path: Path) -> None:
        if not conversion.imports:
            pytest.skip("it imports nothing")
        path = tmp_path / "net.onnx"
        path.write_bytes(b"\x08\x07 no network")
        sample = {"x": np.zeros((1, SIZE), np.float32)}
        with pytest.raises(Exception):  # noqa: B017 - of which type is the framework's matter
            conversion.run(conversion.load(path), sample)


def _dense(path: Path) -> np.ndarray:
    """A dense layer with a ReLU, and its weights."""
    import onnx
    from onnx import helper

    weights = np.random.default_rng(1).normal(size=(SIZE, 4)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "dense",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, SIZE])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return weights
