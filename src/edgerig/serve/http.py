"""The HTTP port of a server: the routes of all its ways in one application."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgerig.errors import MissingExtraError
from edgerig.serve.http_direct import DirectRequests, KnownHeads
from edgerig.serve.listening import BACKLOG, Access
from edgerig.serve.records import Collector, Records, exposition
from edgerig.serve.refusals import send
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.origin import refusal

if TYPE_CHECKING:
    import uvicorn

#: Seconds that a kept connection may be silent between two requests.
KEEP_ALIVE_SECONDS = 75


def require() -> None:
    """Check that an HTTP server is installed.

    Raises:
        MissingExtraError: It is not.
    """
    for package in ("starlette", "uvicorn", "httptools", "prometheus_client"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtraError("edgerig serve", "serve", package) from error


#: The text format of Prometheus.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Paths that need no token: who only looks whether the server lives has none.
OPEN = frozenset({"/v2/health/live", "/v2/health/ready"})


class _Admission:
    """Lets in requests that show the token."""

    def __init__(self, app: Any, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Any, receive: Any, send_: Any) -> None:
        shown = dict(scope["headers"]).get(b"authorization")
        if scope["path"] in OPEN or self.access.admits(shown) or self._own_browser(scope, shown):
            await self.app(scope, receive, send_)
        elif scope["type"] == "websocket":
            await send_({"type": "websocket.close", "code": 1008})
        else:
            text = b'{"error":"Show the token: Authorization: Bearer TOKEN."}'
            asks = [(b"www-authenticate", b"Bearer"), (b"www-authenticate", b'Basic realm="edgerig", charset="UTF-8"')]
            await send(send_, 401, b"application/json", [text], asks)

    def _own_browser(self, scope: Any, shown: bytes | None) -> bool:
        """Whether a browser shows the token, and not for the page of another site, for which it shows it, too."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return self.access.admits_browser(shown) and refusal(headers, scope.get("server")) is None


def application(service: Service, ways: Sequence[Way], access: Access) -> Any:
    """The ASGI application: health, and what the ways answer, for those who may come in."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Route

    async def live(request: Any) -> Response:
        return Response()

    async def ready(request: Any) -> Response:
        return Response(status_code=200 if service.pool.ready else 503)

    async def told(request: Any, error: Any) -> Response:
        # Whoever opens the address in a browser expects a page, which a network without pictures has not.
        no_page = error.status_code == 404 and request.url.path == "/"
        detail = f"There is no page for {service.name}, which takes no pictures: ask it by requests." if no_page else ""
        return JSONResponse({"error": detail or error.detail}, error.status_code, error.headers)

    collector = Collector(
        service.records, lambda: service.pool.waiting + service.pool.second_rings.waiting, lambda: service.pool.live
    )

    async def metrics(request: Any) -> Response:
        return Response(exposition(collector), media_type=METRICS_TYPE)

    routes: list[BaseRoute] = [
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/metrics", metrics),
    ]
    # Those of the ways first: they are asked more often, and routes are tried one after another.
    routes = [*(route for way in ways for route in way.routes(service)), *routes]
    app = Starlette(routes=routes, exception_handlers={HTTPException: told})
    return admitting(app, access)


def admitting(app: Any, access: Access) -> Any:
    """An ASGI application for those alone who show the token, if there is one."""
    return app if access.token is None else _Admission(app, access)


class HttpServer:
    """Serves an application on the running event loop.

    Args:
        tls: Keys; None for plain HTTP. records: Hears of connections.
        direct: Requests that are answered without the application.
    """

    def __init__(
        self, app: Any, tls: ssl.SSLContext | None, records: Records, direct: DirectRequests | None = None
    ) -> None:
        import uvicorn

        from edgerig.serve.http_protocol import BoundedHttpProtocol

        known = None if direct is None else KnownHeads(direct)
        config = uvicorn.Config(
            app,
            http=type("Connection", (BoundedHttpProtocol,), {"records": records, "known": known}),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # A copy of each request's scope, for headers that nothing here looks at.
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            # It would be set again, and shorter, as the server starts.
            backlog=BACKLOG,
        )
        config.load()
        config.ssl = tls
        self._server: uvicorn.Server = uvicorn.Server(config)

    async def serve(self, listener: socket.socket) -> None:
        """Answer until `stop` is called."""
        await self._server.serve(sockets=[listener])

    def stop(self, deadline: float) -> None:
        """Take no new connections, and let `serve` return when those that are there have their answers."""
        self._server.config.timeout_graceful_shutdown = max(1, round(deadline))
        self._server.should_exit = True
