"""What the protocol tells of the server and of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgerig import __version__
from edgerig.errors import RequestError
from edgerig.serve.service import Service
from edgerig.serve.ways.open_inference.datatypes import NAMES, REAL, takes_real
from edgerig.tensors import TensorSpec
from edgerig.text import one_line

#: A served network has one version.
VERSION = "1"
EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository(index)", "statistics"]


class UnknownModelError(RequestError):
    """A request asks for a network, or a version of it, that is not served."""


def check_model(service: Service, name: str, version: str) -> None:
    """Check that a request is for the network that is served; an empty version is the only one.

    Raises:
        UnknownModelError: It is not.
    """
    if name != service.name:
        raise UnknownModelError(f"There is no model {one_line(name, 80)!r}; {service.name!r} is served.")
    if version not in ("", VERSION):
        raise UnknownModelError(f"There is no version {one_line(version, 80)!r} of {name!r}; it has {VERSION!r}.")


def check_sequence(service: Service, sequence: Any) -> None:
    """Check that no request continues another one's sequence where that would matter.

    Args:
        sequence: The parameter ``sequence_id`` of Triton's extension for sequences; None, 0 or empty for none.

    Raises:
        RequestError: It does: the network keeps state, which would begin anew unsaid.
    """
    if service.pool.each_alone and sequence not in (None, 0, ""):
        raise RequestError(
            "The network keeps state, and the extension `sequence` is not offered: each request is a sequence of its "
            "own.",
            "Send the samples of a sequence in one request, in their order, without sequence_id.",
        )


def server_metadata() -> dict[str, Any]:
    """Name, version and extensions of the server."""
    return {"name": "edgerig", "version": __version__, "extensions": EXTENSIONS}


def model_metadata(service: Service, *, real: bool) -> dict[str, Any]:
    """Name, versions and tensors of the network.

    Args:
        real: Whether quantized tensors are told as real numbers, and not in the network's own dtypes.
    """
    tensors = service.pool.tensors
    inputs = zip(tensors.inputs, tensors.row_shapes, strict=True)
    outputs = zip(tensors.outputs, tensors.answer_shapes, strict=True)
    return {
        "name": service.name,
        "versions": [VERSION],
        "platform": f"edgerig_{service.pool.runtime}",
        "inputs": [_tensor(spec, shape, real) for spec, shape in inputs],
        "outputs": [_tensor(spec, shape, real) for spec, shape in outputs],
    }


def repository_index(service: Service) -> list[dict[str, str]]:
    """The networks of this server, by Triton's extension of the protocol for repositories."""
    ready = service.pool.ready
    return [{"name": service.name, "version": VERSION, "state": "READY" if ready else "UNAVAILABLE"}]


def model_statistics(service: Service) -> dict[str, Any]:
    """The network's counts and times since the server started, by Triton's extension for statistics.

    ``inference_count`` counts samples, ``execution_count`` runs of the engine, ``success`` and ``fail`` requests of all
    ways in. ``batch_stats`` tell of single runs; those of requests, in ``inference_stats``, have the times of the whole
    batches that they were part of.
    """
    service.records.refresh()
    requests, executions = service.records.statistics, service.pool.executions
    times = {"success": requests.success, "fail": requests.fail, "queue": requests.queue}
    return {
        "name": service.name,
        "version": VERSION,
        "last_inference": requests.last_ms,
        "inference_count": requests.samples,
        "execution_count": executions.infer.count,
        "inference_stats": {
            **{name: durations.as_dict() for name, durations in times.items()},
            **requests.executions.as_dict(),
            # There is no cache of answers.
            "cache_hit": {"count": 0, "ns": 0},
            "cache_miss": {"count": 0, "ns": 0},
        },
        "batch_stats": [{"batch_size": service.pool.tensors.batch, **executions.as_dict()}]
        if executions.infer.count
        else [],
    }


def model_config(service: Service) -> dict[str, Any]:
    """The network as Triton's extension for configurations tells it: shapes of one sample, without the batch.

    ``max_batch_size`` is the number of samples that may wait: a request of more is refused.
    """
    tensors = service.pool.tensors

    def described(specs: Sequence[TensorSpec], shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
        return [
            {"name": spec.name, "data_type": f"TYPE_{NAMES[spec.dtype]}", "dims": list(shape)}
            for spec, shape in zip(specs, shapes, strict=True)
        ]

    return {
        "name": service.name,
        "platform": f"edgerig_{service.pool.runtime}",
        "backend": service.pool.runtime,
        "max_batch_size": service.pool.queue,
        "input": described(tensors.inputs, tensors.row_shapes),
        "output": described(tensors.outputs, tensors.answer_shapes),
    }


def _tensor(spec: TensorSpec, shape: tuple[int, ...], real: bool) -> dict[str, Any]:
    quantized = takes_real(spec)
    tensor: dict[str, Any] = {
        "name": spec.name,
        "datatype": REAL if real and quantized else NAMES[spec.dtype],
        "shape": [-1, *shape],
    }
    if quantized and not real and spec.quantization is not None and not spec.quantization.per_channel:
        tensor["parameters"] = {"scale": spec.quantization.scale, "zero_point": spec.quantization.zero_point}
    return tensor
