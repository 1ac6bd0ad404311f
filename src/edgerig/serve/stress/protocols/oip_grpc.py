"""The Open Inference Protocol over gRPC."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from edgerig.errors import MissingExtraError, TargetError
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols.base import StressProtocol
from edgerig.serve.stress.protocols.oip import Input, only_model
from edgerig.serve.stress.slot import REFUSED, Owner, Slot
from edgerig.serve.stress.tls import grpc_credentials
from edgerig.text import one_line

#: What to do where nothing of the protocol answers.
PORT_OF_GRPC = "Is it running, and is this its port of gRPC? `edgerig serve` has that behind HTTP's."
METHOD = "/inference.GRPCInferenceService/ModelInfer"
#: A connection for each channel, and messages of any length.
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


class GrpcSlot(Slot):
    """A channel with a connection of its own. Requests and replies are bytes: nothing is encoded under load."""

    def __init__(self, owner: Owner, request: bytes, metadata: tuple[tuple[str, str], ...]) -> None:
        super().__init__(owner)
        self.request, self.metadata = request, metadata
        self._channel: Any = None
        self._call: Any = None
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            await self._connect()
        except (OSError, TimeoutError):
            self.owner.opened(self, None)

    async def _connect(self) -> None:
        import grpc

        start = time.monotonic_ns()
        where = f"{self.owner.load.host}:{self.owner.load.port}"
        if self.owner.load.tls:
            channel = grpc.aio.secure_channel(where, grpc_credentials(self.owner.load), options=OPTIONS)
        else:
            channel = grpc.aio.insecure_channel(where, options=OPTIONS)
        self._channel, self._call = channel, channel.unary_unary(METHOD)
        await asyncio.wait_for(channel.channel_ready(), self.owner.load.timeout)
        self.owner.opened(self, time.monotonic_ns() - start)

    def ask(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._ask(self._task))

    async def _ask(self, opening: asyncio.Task[None] | None) -> None:
        import grpc

        try:
            if opening is not None and not opening.done():
                await opening
            if self._channel is None:
                await self._connect()
            reply = await self._call(self.request, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            gone = "Connection refused" in (error.details() or "")
            self.fail(REFUSED if gone else f"gRPC {error.code().name}")
        except TimeoutError:
            self.hang_up()
            self.fail("no connection")
        else:
            if reply:
                self.end(None)
            else:
                self.fail("empty reply")

    def hang_up(self) -> None:
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        channel, self._channel = self._channel, None
        if channel is not None:
            closing = asyncio.get_running_loop().create_task(channel.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class OipGrpc(StressProtocol):
    """Random values as the network's inputs, the same again and again."""

    server_time = "the protocol tells none over gRPC"
    tells_time = False

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.request = b""

    def prepare(self) -> None:
        try:
            import grpc
            from tritonclient.grpc import service_pb2 as messages
            from tritonclient.grpc import service_pb2_grpc as stubs
        except ImportError as error:
            raise MissingExtraError("edgerig stress over gRPC", "serve-grpc", "tritonclient") from error
        where = f"{self.load.host}:{self.load.port}"
        if self.load.tls:
            opened = grpc.secure_channel(where, grpc_credentials(self.load), options=OPTIONS)
        else:
            opened = grpc.insecure_channel(where, options=OPTIONS)
        with opened as channel:
            stub = stubs.GRPCInferenceServiceStub(channel)
            limits = {"timeout": self.load.timeout, "metadata": self._metadata()}
            try:
                model = self.load.model or only_model(where, self._models(stub, limits))
                described = stub.ModelMetadata(messages.ModelMetadataRequest(name=model), **limits)
                request = messages.ModelInferRequest(model_name=model)
                for index, tensor in enumerate(described.inputs):
                    array = Input(tensor.name, tensor.datatype, list(tensor.shape)).values(self.load.seed + index)
                    request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=array.shape)
                    request.raw_input_contents.append(array.tobytes())
                stub.ModelInfer(request, **limits)
            except grpc.RpcError as error:
                text = one_line(error.details() or error.code().name, 300)
                away = error.code() is grpc.StatusCode.UNAVAILABLE
                raise TargetError(
                    f"One request before the load failed: {where}: {text}", PORT_OF_GRPC if away else None
                ) from error
        self.request = request.SerializeToString()

    def _models(self, stub: Any, limits: dict[str, Any]) -> list[str] | None:
        """The networks that the server names; None where it does not tell them."""
        import grpc
        from tritonclient.grpc import service_pb2 as messages

        try:
            return [model.name for model in stub.RepositoryIndex(messages.RepositoryIndexRequest(), **limits).models]
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
                return None
            raise

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.load.token}"),) if self.load.token else ()

    def state(self) -> Any:
        return self.request

    def restore(self, state: Any) -> None:
        self.request = bytes(state)

    def slot(self, owner: Owner) -> Slot:
        return GrpcSlot(owner, self.request, self._metadata())
