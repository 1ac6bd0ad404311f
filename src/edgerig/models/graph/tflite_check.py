"""Requirements on a TFLite file for engines to compute it correctly, beyond its operators."""

from __future__ import annotations

from edgerig.errors import ArtifactCheckError


def check_tflite(data: bytes, file: str) -> None:
    """Raise unless all buffers of ``data``, the content of ``file``, are inside the FlatBuffer, and LiteRT loads it.

    Raises:
        ArtifactCheckError: Names the buffer, or contains LiteRT's message.
    """
    _check_inside(data, file)
    _check_loads(data, file)


def buffers_outside(data: bytes) -> list[int]:
    """Indices of the buffers whose content is after the FlatBuffer: TFLite Micro reads garbage for them."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    # Writers put 0 and 1 there as placeholders before they know the offset.
    return [index for index in range(model.BuffersLength()) if model.Buffers(index).Offset() > 1]


def _check_inside(data: bytes, file: str) -> None:
    outside = buffers_outside(data)
    if outside:
        raise ArtifactCheckError(
            f"{file} keeps buffer {outside[0]} outside the FlatBuffer: TFLite Micro would compute garbage from it.",
            "Write the buffers inline.",
        )


def _check_loads(data: bytes, file: str) -> None:
    """Load it with LiteRT, which checks shapes, versions and the multipliers that follow from the scales."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        Interpreter(
            model_content=data, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        ).allocate_tensors()
    except Exception as error:
        text = " ".join(str(error).split())[:300].rstrip(".")
        overflow = "overflow" in text
        raise ArtifactCheckError(
            f"LiteRT refuses {file}: {text}.",
            "Activations were nearly zero or huge in calibration: is the network trained, the preprocessing right?"
            if overflow
            else "Does the network use an operator that LiteRT does not have?",
        ) from error
