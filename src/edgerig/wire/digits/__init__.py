"""The digits' protocol: a client sends a drawn digit in FlatBuffers, a server answers what its network says.

Requests are `decode_request`'s and replies `decode_reply`'s to read; both take whatever a FlatBuffers writer makes of
``schema.fbs`` and refuse everything else with a `WireError`. What is written has the canonical layout (`layout`).
"""

from edgerig.wire.digits.client import Client, FbComm
from edgerig.wire.digits.decode import decode_reply, decode_request, message_length
from edgerig.wire.digits.layout import (
    REPLY_SIZE,
    REQUEST_SIZE,
    STATS_REPLY_SIZE,
    STATS_REQUEST,
    encode_inference_reply,
    encode_inference_request,
    encode_stats_reply,
)
from edgerig.wire.digits.messages import (
    OUTPUTS,
    PIXELS,
    PORT,
    SIDE,
    Command,
    InferenceReply,
    InferenceRequest,
    Mode,
    Reply,
    Request,
    StatsReply,
    StatsRequest,
)
from edgerig.wire.digits.stream import MessageStream

__all__ = [
    "OUTPUTS",
    "PIXELS",
    "PORT",
    "REPLY_SIZE",
    "REQUEST_SIZE",
    "SIDE",
    "STATS_REPLY_SIZE",
    "STATS_REQUEST",
    "Client",
    "Command",
    "FbComm",
    "InferenceReply",
    "InferenceRequest",
    "MessageStream",
    "Mode",
    "Reply",
    "Request",
    "StatsReply",
    "StatsRequest",
    "decode_reply",
    "decode_request",
    "encode_inference_reply",
    "encode_inference_request",
    "encode_stats_reply",
    "message_length",
]
