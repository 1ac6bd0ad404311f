"""A small digits server, on TCP or a pseudo-terminal, that answers in a known way; and ways to answer badly."""

import contextlib
import os
import socket
import threading
import tty

import numpy as np

from edgerig.errors import WireError
from edgerig.wire.digits import (
    InferenceRequest,
    MessageStream,
    StatsReply,
    decode_request,
    encode_inference_reply,
    encode_stats_reply,
)

STATS = StatsReply(101, 216_000_000, 1)


def reply_to(message, timer_ms=1.25):
    """The reply to a request: output i is the mean of the pixels i, i + 10, i + 20 .."""
    request = decode_request(message)
    if not isinstance(request, InferenceRequest):
        return encode_stats_reply(STATS)
    return encode_inference_reply(expected_outputs(request.digit), timer_ms)


def expected_outputs(digit):
    return np.array([digit[first::10].mean() for first in range(10)], np.float32)


class ReferenceServer:
    """Serves one connection after another in a thread.

    Args:
        answer: Gives the bytes that go out for a request's; None to keep silent.
        once: Close the connection after one answer, as the original server does.
    """

    def __init__(self, answer=reply_to, once=False):
        self.answer, self.once = answer, once
        self.connections = self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = set()
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            with connection, contextlib.suppress(OSError, WireError):
                self._talk(connection)
            self._open.discard(connection)

    def _talk(self, connection):
        stream = MessageStream()
        while data := connection.recv(4096):
            stream.feed(data)
            while (message := stream.next()) is not None:
                self.requests += 1
                answer = self.answer(message)
                if answer is not None:
                    connection.sendall(answer)
                if self.once:
                    return


@contextlib.contextmanager
def serial_server(answer=reply_to):
    """The path of a serial port behind which a server answers."""
    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)

    def talk():
        stream = MessageStream()
        with contextlib.suppress(OSError):
            while data := os.read(ours, 4096):
                stream.feed(data)
                while (message := stream.next()) is not None:
                    os.write(ours, answer(message))

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)
        thread.join(10)
        os.close(ours)
