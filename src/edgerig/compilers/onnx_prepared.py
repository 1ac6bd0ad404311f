"""Float ONNX files made ready for ONNX Runtime's quantizer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgerig.errors import CompileError
from edgerig.text import cause_of

#: First version of the operator set with scales per channel.
OLDEST_OPSET = 13

#: First version of the file format in which constants need not be inputs.
FIRST_IR_OF_HIDDEN_CONSTANTS = 4

#: The file in the working folder that is quantized, its operators folded.
PREPARED = "prepared.onnx"


def prepare(model: bytes, work: Path, file: str = "the network") -> Path:
    """Infer shapes, and fold batch normalization into convolutions, which would stay float otherwise.

    Args:
        model: Float ONNX. work: An empty folder. file: The name of the user's file, for messages.

    Raises:
        CompileError: ONNX Runtime failed; its message is included.
    """
    try:
        with quiet():
            return _prepare(model, work)
    except (OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise CompileError(f"ONNX Runtime cannot quantize {file}: {cause_of(error)}.") from error


def _prepare(model: bytes, work: Path) -> Path:
    import onnx
    import onnxruntime

    loaded = onnx.load_model_from_string(model)
    _constants_are_no_inputs(loaded)
    opset = next((item.version for item in loaded.opset_import if item.domain in ("", "ai.onnx")), OLDEST_OPSET)
    if opset < OLDEST_OPSET:
        loaded = onnx.version_converter.convert_version(loaded, OLDEST_OPSET)
    folded, prepared = work / "folded.onnx", work / PREPARED
    options = onnxruntime.SessionOptions()
    # Basic level: stay within the standard operators.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(loaded.SerializeToString(), options, providers=["CPUExecutionProvider"])
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(folded)), prepared)
    return prepared


@contextmanager
def quiet() -> Iterator[None]:
    """Drop ONNX Runtime's advice, which it gives on the root logger, unless more than warnings is asked for there.

    Records of anybody else pass, as do errors.
    """
    root = logging.getLogger()

    def passes(record: logging.LogRecord) -> bool:
        is_advice = record.levelno < logging.ERROR and "onnxruntime" in Path(record.pathname).parts
        return not is_advice or root.isEnabledFor(logging.INFO)

    root.addFilter(passes)
    try:
        yield
    finally:
        root.removeFilter(passes)


def _constants_are_no_inputs(model: Any) -> None:
    """Remove constants from the inputs, where files of IR version 3 list them as well; later versions need not.

    A constant that is an input could be overridden at run time; so it would be neither folded nor quantized.
    """
    constants = {proto.name for proto in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, FIRST_IR_OF_HIDDEN_CONSTANTS)
