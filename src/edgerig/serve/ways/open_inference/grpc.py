"""The Open Inference Protocol over gRPC, with the messages and stubs of Triton's client."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, ClassVar

from edgerig.errors import MissingExtraError, UsageError
from edgerig.serve.bodies import LARGEST
from edgerig.serve.listening import Access
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.open_inference.grpc_calls import SERVICE, other_calls
from edgerig.serve.ways.open_inference.grpc_inference import single, stream
from edgerig.serve.ways.open_inference.grpc_library import import_grpc
from edgerig.wire.tls import CA, CERTIFICATE, KEY

#: Calls that need no token, as health over HTTP.
OPEN = (f"/{SERVICE}/ServerLive", f"/{SERVICE}/ServerReady")


class OpenInferenceGrpc(Way):
    """The calls of ``inference.GRPCInferenceService``.

    Args:
        listen: ``HOST:PORT``; by default the port after that of HTTP.
        real: Whether the metadata of an integer network tell real numbers. It takes both all the same.
    """

    name: ClassVar[str] = "oip-grpc"
    listens: ClassVar[bool] = True

    def __init__(self, listen: str | None = None, *, real: bool = False) -> None:
        super().__init__(listen)
        self.real = real
        self._server: Any = None

    def require(self) -> None:
        for package, load in (("grpc", import_grpc), ("tritonclient.grpc", lambda: __import__("tritonclient.grpc"))):
            try:
                load()
            except ImportError as error:
                raise MissingExtraError("edgerig serve over gRPC", "serve-grpc", package) from error

    async def start(self, service: Service, listener: socket.socket, access: Access) -> None:
        import grpc
        from grpc import aio

        options = [
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.max_send_message_length", -1),
            # Another server must not share the port unseen.
            ("grpc.so_reuseport", 0),
        ]
        interceptors = [] if access.token is None else [_admission(access)]
        self._server = aio.server(options=options, interceptors=interceptors)
        calls = other_calls(service, self.real)
        calls["ModelInfer"] = grpc.unary_unary_rpc_method_handler(single(service, self.name))
        calls["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(stream(service, self.name))
        # By name alone: for each registered method it would keep a task, and look at all of them with each request.
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
        host, port = listener.getsockname()[:2]
        # gRPC opens its ports itself.
        listener.close()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if access.tls is not None:
                self._server.add_secure_port(where, _credentials(access.tls))
            else:
                self._server.add_insecure_port(where)
        except RuntimeError as error:
            raise UsageError(f"Cannot listen on {where} for gRPC.", "Choose another port.") from error
        await self._server.start()

    async def stop(self, deadline: float) -> None:
        if self._server is not None:
            await self._server.stop(deadline)


def _credentials(folder: Path) -> Any:
    import grpc

    key, certificate, ca = ((folder / name).read_bytes() for name in (KEY, CERTIFICATE, CA))
    return grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)


def _admission(access: Access) -> Any:
    import grpc
    from grpc import aio

    async def refuse(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Show the token: authorization: Bearer TOKEN.")

    class Admission(aio.ServerInterceptor):  # type: ignore[misc]
        """Lets in calls that show the token."""

        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            shown = dict(details.invocation_metadata).get("authorization")
            if details.method in OPEN or access.admits(shown.encode() if isinstance(shown, str) else shown):
                return await continuation(details)
            return grpc.unary_unary_rpc_method_handler(refuse)

    return Admission()
