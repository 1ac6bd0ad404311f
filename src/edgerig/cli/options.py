"""Options that several commands have; ``key=value`` options are read as YAML would read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.errors import UsageError

if TYPE_CHECKING:
    from edgerig.artifact import TensorSpec

layout_option = click.option(
    "--layout",
    type=click.Choice(["nchw", "nhwc"]),
    help="Order of an image's axes in the input: nchw is channels first, as PyTorch has it.  [default: by the shape]",
)
shape_option = click.option(
    "--shape",
    multiple=True,
    metavar="[INPUT=]N,N,..",
    help="Shape of an input, batch included, of an ONNX file that leaves axes free; may be repeated.",
)


def find_here(*names: str) -> None:
    """Let each of ``names`` that is a ``package.module:Class`` be found in the working folder, after what is installed.

    Raises:
        SpecError: Another module of that name is loaded already.
    """
    from edgerig.plugins import import_beside

    for name in names:
        if ":" in name and "/" not in name:
            import_beside(name, Path.cwd())


def parse_options(assignments: Sequence[str], option: str) -> dict[str, Any]:
    """Plain values of ``key=value`` texts.

    Raises:
        UsageError: One has no ``=``.
    """
    from edgerig.rig.document import parse_scalar

    result: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {assignment!r}: write it as key=value.")
        result[key.replace("-", "_")] = parse_scalar(text)
    return result


def parse_shapes(assignments: Sequence[str], models: Sequence[Sequence[TensorSpec]]) -> dict[str, list[int]]:
    """Shapes by input, out of texts like ``x=1,3,32,32``; the name may be left out where a network has one input.

    Args:
        assignments: The texts. models: the inputs of each network.

    Raises:
        UsageError: One is no shape, or does not say of which input.
    """
    result: dict[str, list[int]] = {}
    for text in assignments:
        name, _, sizes = text.rpartition("=")
        numbers = [size.strip() for size in sizes.replace("x", ",").split(",")]
        if not all(size.isascii() and size.isdigit() and int(size) > 0 for size in numbers):
            raise UsageError(
                f"--shape {text!r}: write it as NAME=1,3,224,224, with a number of 1 or more for each axis."
            )
        if name:
            names = {name}
        else:
            names = {inputs[0].name for inputs in models if inputs}
            if any(len(inputs) != 1 for inputs in models):
                raise UsageError(f"--shape {text!r}: say of which input: NAME={sizes}.")
        result |= {each: list(map(int, numbers)) for each in names}
    return result
