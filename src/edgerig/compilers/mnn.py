"""Networks of MNN out of ONNX files, by its converter: as they are, or with weights in fewer bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.onnx import refuses_quantized
from edgerig.compilers.program import run_python
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.models.graph.mnn_file import ends_of, mark_for, with_identity_of_content
from edgerig.plugins import Settings
from edgerig.progress import Progress

#: The converter itself: the program `mnnconvert` around it installs packages and tells its makers of each network.
_CONVERT = "import _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[2:]])"


class MnnSettings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of MNN's converter."""

    optimize: Annotated[
        int,
        msgspec.Meta(
            description="1: what is right for every input; 2: also what MNN calls right normally, wrong in some cases",
            ge=1,
            le=2,
        ),
    ] = 1


class MnnDynamicSettings(MnnSettings, frozen=True, kw_only=True):
    """Settings of weights in fewer bits."""

    bits: Annotated[int, msgspec.Meta(description="of a weight", ge=2, le=8)] = 8
    asymmetric: Annotated[bool, msgspec.Meta(description="a zero point for each channel, too")] = True


class Mnn(ModelCompiler):
    """MNN's network in float32."""

    name = "mnn"
    summary = "MNN's network (.mnn) in float32"
    extra = "mnn"
    engine = "mnn"
    modules = ("MNN",)
    takes = frozenset({"onnx"})
    makes = "mnn"
    after = "onnx"
    direct = frozenset({"onnx"})
    scheme = "float32"
    Settings: ClassVar[type[Settings]] = MnnSettings
    settings: MnnSettings

    def _refuses(self, format: str, scheme: str) -> str | None:
        return refuses_quantized(self.name, format, scheme)

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        source = work / "network.onnx"
        source.write_bytes(artifact.read())
        mark = mark_for([spec.dtype for spec in artifact.inputs], [spec.dtype for spec in artifact.outputs])
        return convert(source, ["--optimizeLevel", str(self.settings.optimize), *self._options()], mark)

    def _options(self) -> list[str]:
        """What the converter is told besides."""
        return []


class MnnFloat16(Mnn):
    """The same with weights of convolutions stored in float16; they are computed with in float32."""

    name = "mnn-float16"
    summary = "MNN's network with weights stored in float16"
    scheme = "float16"

    def _options(self) -> list[str]:
        return ["--fp16"]


class MnnDynamic(Mnn):
    """The same with weights stored in at most 8 bits; activations stay float32."""

    name = "mnn-dynamic"
    summary = "MNN's network with weights stored in 8 bits or fewer"
    scheme = "dynamic"
    Settings: ClassVar[type[Settings]] = MnnDynamicSettings
    settings: MnnDynamicSettings

    def _options(self) -> list[str]:
        asymmetric = ["--weightQuantAsymmetric"] if self.settings.asymmetric else []
        return ["--weightQuantBits", str(self.settings.bits), *asymmetric]


def convert(source: Path, options: Sequence[str] = (), mark: str = "edgerig") -> bytes:
    """An ONNX file as one of MNN, which is written beside it, too; equal networks give equal files.

    Args:
        source: The file. options: Of the converter. mark: Says in the file who made it, see `mark_for`.

    Raises:
        CompileError: The converter fails, in its own words, or hangs.
    """
    target = source.with_suffix(".mnn")
    arguments = ["-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target), "--bizCode", mark, *options]
    ended = run_python(_CONVERT, arguments, source.parent, "MNN's converter")
    # It ends well, too, where it has failed.
    if ended.fault or not target.is_file():
        raise CompileError(
            f"MNN's converter cannot convert the network: {ended.fault or 'it wrote no network'}; its last words: "
            f"{ended.last_words}",
            "Does the network have an operator that MNN lacks? Trees and other classical models are none of its.",
        )
    data = with_identity_of_content(target.read_bytes())
    ends_of(data, target.name)
    return data
