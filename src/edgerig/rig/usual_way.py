"""The format of a rig's model, and how it is run where the rig names neither compiler nor runtime."""

from __future__ import annotations

from pathlib import Path

from edgerig import formats
from edgerig.compilers.base import ModelCompiler
from edgerig.errors import SpecError
from edgerig.models.base import ModelWrapper
from edgerig.plugins import find
from edgerig.rig.types import CompilerChain, ModelPart, Part

#: The compiler entry that deploys the model's own file unchanged.
AS_IT_IS = "none"


def is_as_it_is(compiler: Part | CompilerChain) -> bool:
    """Whether that entry of a block's compilers deploys the model's own file."""
    return [step.use for step in compiler.steps] == [AS_IT_IS]


def format_of_model(part: ModelPart) -> formats.Format:
    """The format of a model before any compiler: of its file, or the one that its framework saves.

    Raises:
        ModelError: No known format has the file's suffix. UnknownNameError: There is no such model.
    """
    if part.use:
        return formats.named(find("model", part.use, ModelWrapper).makes)
    return formats.format_of(Path(part.file or ""))


def usual_way(format: formats.Format) -> tuple[str, str]:
    """The compiler and the runtime for a model of a format, where a rig names none.

    Raises:
        SpecError: There is no default runtime.
    """
    compiler = format.compiler or AS_IT_IS
    compiled = formats.named(find("compiler", format.compiler, ModelCompiler).makes) if format.compiler else format
    if compiled.runtime is None:
        raise SpecError(f"the key 'matrix' is missing, and there is no usual runtime of {format.name}")
    return compiler, compiled.runtime
