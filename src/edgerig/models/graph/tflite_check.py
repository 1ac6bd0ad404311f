"""What a TFLite file must keep to so that engines compute what it says, beyond what its operators show."""

from __future__ import annotations

from edgerig.errors import ArtifactCheckError


def check_tflite(data: bytes, file: str) -> None:
    """Raise unless all buffers of ``data``, the content of ``file``, lie inside the FlatBuffer, and LiteRT takes it.

    Raises:
        ArtifactCheckError: Says which buffer, or what LiteRT says.
    """
    _check_inside(data, file)
    _check_loads(data, file)


def buffers_outside(data: bytes) -> list[int]:
    """Indices of the buffers whose content lies behind the FlatBuffer: TFLite Micro reads garbage for them."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    # 0 and 1 are what writers put there before they know the place.
    return [index for index in range(model.BuffersLength()) if model.Buffers(index).Offset() > 1]


def _check_inside(data: bytes, file: str) -> None:
    outside = buffers_outside(data)
    if outside:
        raise ArtifactCheckError(
            f"{file} keeps buffer {outside[0]} outside the FlatBuffer: TFLite Micro would compute garbage from it.",
            "Write the buffers inline.",
        )


def _check_loads(data: bytes, file: str) -> None:
    """LiteRT itself checks shapes, versions and the multipliers that follow from the scales."""
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
