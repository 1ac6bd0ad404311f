"""Frameworks that go wrong in every way, for the tests of the grid."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.suites.conversion_grid.conversion import Exported, Inputs, ONNXConversion

SIZE = 6


class Faulty(ONNXConversion):
    """Exports one product of matrices, in variants; imports by a fault that the environment names."""

    name = "faulty"
    summary = "goes wrong"
    packages = ("numpy",)
    networks: ClassVar[dict[str, str]] = {
        "sound": "a matrix",
        "constant": "a matrix of zeros",
        "refused": "raises",
        "crash": "dies",
        "endless": "never ends",
        "external": "weights in a file of their own",
        "undefined": "says NaN",
    }
    opsets = (17, 13)
    imports = True

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        if network == "refused":
            raise NotImplementedError("no such operator")
        if network == "crash":
            print("the last words", flush=True)
            os.abort()
        if network == "endless":
            time.sleep(600)
        weights = np.random.default_rng(0).normal(size=(SIZE, 3)).astype(np.float32) * (network != "constant")
        if network == "undefined":
            weights *= np.nan
        ends = [helper.make_tensor_value_info(*end) for end in (("x", TensorProto.FLOAT, [1, SIZE]), ("y", 1, [1, 3]))]
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        graph = helper.make_graph(nodes, network, ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        if network == "external":
            onnx.save(made, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
        else:
            onnx.save(made, str(path))
        return Exported({"x": ((1, SIZE), "float32")}, lambda sample: [sample["x"] @ weights])

    def _load(self, path: Path) -> Any:
        import onnx

        if os.environ.get("FAULT") == "load":
            raise ValueError("cannot read it")
        return onnx.numpy_helper.to_array(onnx.load(str(path)).graph.initializer[0])

    def _run(self, loaded: Any, inputs: Inputs) -> list[Any]:
        product = inputs["x"] @ loaded
        match os.environ.get("FAULT"):
            case "run":
                raise ValueError("cannot run it")
            case "memory":
                held = bytearray(600 << 20)
                time.sleep(600)
                return [held]
            case "wrong":
                return [product * 1.01]
            case "shape":
                return [product[0]]
            case "nan":
                return [product * np.nan]
            case "two":
                return [product, product]
        return [product]
