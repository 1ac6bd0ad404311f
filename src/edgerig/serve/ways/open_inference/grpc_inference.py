"""The calls of ``inference.GRPCInferenceService`` that run the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from edgerig.errors import EdgerigError
from edgerig.serve.records import Watched
from edgerig.serve.refusals import text_of
from edgerig.serve.service import Service
from edgerig.serve.ways.open_inference.datatypes import own_numbers
from edgerig.serve.ways.open_inference.grpc_calls import message_of, status_of
from edgerig.serve.ways.open_inference.grpc_known import KnownRequests
from edgerig.serve.ways.open_inference.grpc_messages import fill, input_tensors, sequence_of, wanted_outputs
from edgerig.serve.ways.open_inference.metadata import VERSION, check_model, check_sequence


async def _infer(service: Service, request: Any, watched: Watched) -> tuple[Any, list[int], bool]:
    """The answer to a request; and which outputs were wanted, and whether in the network's own numbers."""
    from tritonclient.grpc import service_pb2 as messages

    check_model(service, request.model_name, request.model_version)
    check_sequence(service, sequence_of(request))
    tensors = service.pool.tensors
    arrays, wanted = input_tensors(request), wanted_outputs(request, tensors)
    raw = own_numbers(tensors, {tensor.name: tensor.datatype for tensor in request.inputs})
    watched.request = done = await service.pool.run(tensors.rows(arrays, raw=raw), raw=raw)
    assert done.outputs is not None
    answer = messages.ModelInferResponse(model_name=service.name, model_version=VERSION, id=request.id)
    fill(answer, tensors, done.outputs, wanted, raw=bool(request.raw_input_contents))
    return answer, wanted, raw


def single(service: Service, way: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    """Answers ``ModelInfer``: requests that it knows it does not read as messages."""
    from tritonclient.grpc import service_pb2 as messages

    known_requests = KnownRequests(service.name, VERSION, service.pool.tensors)
    pool, loop = service.pool, asyncio.get_running_loop()

    async def read(message: bytes, watched: Watched) -> bytes:
        request = message_of(messages.ModelInferRequest, message)
        answer, wanted, raw = await _infer(service, request, watched)
        known_requests.learn(message, request, raw=raw, wanted=wanted)
        data: bytes = answer.SerializeToString()
        return data

    async def handle(message: bytes, context: Any) -> bytes:
        watched = service.records.watch(way)
        try:
            known = known_requests.find(message)
            if known is None:
                answer = await read(message, watched)
            else:
                watched.request = done = await pool.run(known.rows(message), raw=known.raw)
                assert done.outputs is not None
                answer = known_requests.answer(known, done.outputs, messages.ModelInferResponse)
        except BaseException as error:
            watched.__exit__(type(error))
            if isinstance(error, EdgerigError):
                await context.abort(status_of(error), text_of(error))
            raise
        # Once the answer is on its way, so that nobody waits for it.
        loop.call_soon(watched.note, "ok", watched.took_ns)
        return answer

    return handle


def stream(service: Service, way: str) -> Callable[[AsyncIterator[bytes], Any], AsyncIterator[bytes]]:
    """Answers ``ModelStreamInfer``: each request in its turn, with its answer or what is wrong with it."""
    from tritonclient.grpc import service_pb2 as messages

    async def handle(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for message in requests:
            answer = messages.ModelStreamInferResponse()
            try:
                with service.records.watch(way) as watched:
                    request = message_of(messages.ModelInferRequest, message)
                    infer_response, _, _ = await _infer(service, request, watched)
                answer.infer_response.CopyFrom(infer_response)
            except EdgerigError as error:
                answer.error_message = text_of(error)
            yield answer.SerializeToString()

    return handle
