"""The origin of an artifact: its file, the chain of tools that made it, its preprocessing."""

from __future__ import annotations

from edgerig.artifact import Artifact, Preprocessing, TensorSpec
from edgerig.report.model import OriginRow
from edgerig.report.units import compact, exact, show
from edgerig.report.values import Fact


def artifact_facts(artifact: Artifact) -> tuple[Fact, ...]:
    """Facts about the deployed file."""
    return (
        Fact("name", artifact.name),
        Fact("format", artifact.format),
        Fact("scheme", artifact.scheme),
        Fact("size", show(artifact.size, "B"), exact(artifact.size, "B")),
        Fact("SHA-256", artifact.sha256),
        *(Fact("input", _tensor(spec)) for spec in artifact.inputs),
        *(
            Fact(
                "output" if index != artifact.judged_output or len(artifact.outputs) == 1 else "judged output",
                _tensor(spec),
            )
            for index, spec in enumerate(artifact.outputs)
        ),
        *(Fact("output, not read", text) for text in artifact.left_out),
        *_zero_weights(artifact),
    )


def _zero_weights(artifact: Artifact) -> tuple[Fact, ...]:
    """The share of weights that are 0 as it was last counted, of a network that was pruned."""
    for origin in reversed(artifact.origins):
        if origin.zero_weights is not None:
            before, after = origin.zero_weights
            return (Fact("weights that are 0", f"{after:.2%} after {origin.tool}, {before:.2%} before it"),)
    return ()


def _tensor(spec: TensorSpec) -> str:
    sizes = "×".join("?" if size < 0 else str(size) for size in spec.shape)
    text = f"{spec.name}: {spec.dtype} {sizes}" + (f", {spec.layout}" if isinstance(spec.layout, str) else "")
    quantization = spec.quantization
    if quantization is None or not quantization.scales:
        return text
    if quantization.per_channel:
        where = "" if quantization.axis is None else f" on axis {quantization.axis}"
        return f"{text}, {len(quantization.scales)} scales{where}"
    zero = quantization.zero_point if quantization.zero_points else 0
    return f"{text}, real = {quantization.scale:.6g} × (q {'−' if zero >= 0 else '+'} {abs(zero)})"


def origin_rows(artifact: Artifact) -> tuple[OriginRow, ...]:
    """The chain of tools that made the file, first to last."""
    return tuple(
        OriginRow(
            origin.tool,
            compact(origin.options),
            origin.parent or "",
            ", ".join(f"{name} {version}" for name, version in origin.versions.items()),
            "" if origin.seconds is None else show(origin.seconds, "s"),
        )
        for origin in artifact.origins
    )


def preprocessing_facts(declared: Preprocessing) -> tuple[Fact, ...]:
    """The declaration of how a raw sample becomes the network's input."""
    resize = "none" if declared.resize is None else f"{declared.resize[0]} × {declared.resize[1]} (height × width)"
    formula = "x = (raw × scale − mean) / std, a channel at a time"
    if declared.standardize:
        formula += ", then less the sample's mean, over its standard deviation"
    fit = () if declared.resize is None or declared.fit == "stretch" else (Fact("fit", _fit_text(declared)),)
    return (
        Fact("formula", formula),
        Fact("resize", resize),
        *fit,
        Fact("scale", f"{declared.scale:.9g}", repr(declared.scale)),
        Fact("mean", ", ".join(f"{value:.6g}" for value in declared.mean)),
        Fact("std", ", ".join(f"{value:.6g}" for value in declared.std)),
        Fact("hash", declared.hash),
    )


def _fit_text(declared: Preprocessing) -> str:
    around = f"; {declared.fill:g} around it" if declared.fit != "crop" else ""
    return f"{declared.fit}{around}"
