"""The digits' protocol: FlatBuffers messages one after another."""

from __future__ import annotations

from typing import Any

from edgerig.errors import EdgerigError, WireError
from edgerig.serve import drawing
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols.base import StressProtocol
from edgerig.serve.stress.replies import FailedReply, Parser, Reply
from edgerig.serve.stress.slot import Owner, Slot, StreamSlot
from edgerig.serve.stress.tls import context_of
from edgerig.wire.digits import Client, InferenceReply, MessageStream, decode_reply, encode_inference_request

#: The digit that is sent.
_SEVEN = [[(62, 58), (110, 55), (186, 60), (160, 110), (128, 170), (112, 214)]]


class DigitsParser(Parser):
    """Replies of the digits' protocol."""

    def __init__(self) -> None:
        self._stream = MessageStream()

    def feed(self, data: bytes) -> Reply | None:
        self._stream.feed(data)
        try:
            message = self._stream.next()
            if message is None:
                return None
            reply = decode_reply(message)
        except WireError as error:
            raise FailedReply("reply that is no message of the protocol") from error
        if not isinstance(reply, InferenceReply):
            raise FailedReply("reply to another request")
        if self._stream.pending:
            raise FailedReply("more bytes than the reply has")
        return Reply(round(reply.timer_ms * 1e6))


class Digits(StressProtocol):
    """One drawn digit again and again."""

    server_time = "the timer in its replies"
    tells_time = True

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.request = b""

    def prepare(self) -> None:
        digit = drawing.picture(_SEVEN) / 255
        load = self.load
        with Client.tcp(load.host, load.port, load.timeout, context_of(load)) as client:
            try:
                client.infer(digit)
            except EdgerigError as error:
                raise type(error)(f"One request before the load failed: {error.message}", error.hint) from error
        self.request = encode_inference_request(digit)

    def state(self) -> Any:
        return self.request

    def restore(self, state: Any) -> None:
        self.request = bytes(state)

    def slot(self, owner: Owner) -> Slot:
        return StreamSlot(owner, self.request, DigitsParser)
