"""The formats of ncnn, MNN and ExecuTorch, which edgerig's compilers write and these engines alone run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgerig.formats import Format, Specification


class Ncnn(Format):
    """ncnn's layers in a .param and its weights in a .bin; what its ends are, in an .ends.json of edgerig's."""

    name = "ncnn"
    summary = "ncnn: .param, with its .bin and .ends.json beside it"
    suffixes = (".param",)
    storage = "files"
    runtime = "ncnn"

    def _files(self, path: Path) -> tuple[Path, ...]:
        from edgerig.models.graph.ncnn_file import ends_file

        return (path.with_suffix(".bin"), ends_file(path))

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.graph.ncnn_file import read_ncnn

        return read_ncnn(path).specification()

    def _details(self, path: Path) -> Mapping[str, str]:
        from edgerig.models.graph.ncnn_file import read_ncnn

        kinds = read_ncnn(path).operators()
        return {"Operators": ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())}


class Mnn(Format):
    """MNN's FlatBuffers. The shapes of its ends follow from the network that it was compiled from."""

    name = "mnn"
    summary = "MNN: .mnn"
    suffixes = (".mnn",)
    runtime = "mnn"

    def _details(self, path: Path) -> Mapping[str, str]:
        from edgerig.models.graph.mnn_file import ends_of

        inputs, outputs = ends_of(path.read_bytes(), path.name)
        return {"Inputs": ", ".join(inputs), "Outputs": ", ".join(outputs)}


class ExecuTorch(Format):
    """ExecuTorch's programs: a FlatBuffer with what its delegates, such as XNNPACK, were handed."""

    name = "executorch"
    summary = "ExecuTorch: .pte"
    suffixes = (".pte",)
    runtime = "executorch"
    executable = False

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.graph.pte_file import read_pte

        return read_pte(self.payload(path), path.name).specification()

    def _details(self, path: Path) -> Mapping[str, str]:
        from collections import Counter

        from edgerig.models.graph.pte_file import read_pte

        counts = Counter(
            (operator.op, operator.placement) for operator in read_pte(path.read_bytes(), path.name).operators
        )
        return {"Operators": ", ".join(f"{count} {op} ({placement})" for (op, placement), count in counts.items())}
