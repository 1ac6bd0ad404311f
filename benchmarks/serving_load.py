"""What keeps the digits servers of `serving.py` busy: the client in C, with requests and the replies that must come."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig.wire.digits import REPLY_SIZE, InferenceReply, decode_reply, encode_inference_request

SOURCE = Path(__file__).with_name("serving_client.c")
#: Requests that a pipelining connection has under way.
WINDOW = 64
#: As many different digits as the client in C has requests.
DIGITS = np.random.default_rng(0).random((64, 784), np.float32)
#: By how much a number may differ: real ones are added in another order.
TOLERANCE = 1e-5


def interpreted(path: Path, *, xnnpack: bool) -> NDArray[np.float64]:
    """What the bare interpreter says of `DIGITS`, (n, 10), with the kernels of XNNPACK or its own; of an int8 network
    these differ by some steps."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), num_threads=1, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    (scale, zero), (step, origin) = into["quantization"], out["quantization"]
    rows = []
    for digit in DIGITS:
        x = np.clip(np.rint(digit / scale) + zero, -128, 127) if scale else digit
        interpreter.set_tensor(into["index"], x.reshape(into["shape"]).astype(into["dtype"]))
        interpreter.invoke()
        y = interpreter.get_tensor(out["index"]).reshape(-1).astype(np.float64)
        rows.append((y - origin) * step if step else y)
    return np.stack(rows)


class Load:
    """The client in C, built in a folder, for one network.

    Every reply is looked at twice over: before the measurement what a server answers to each digit is held against the
    bare interpreter, and during it each reply must be that again, byte for byte but for its time.
    """

    def __init__(self, folder: Path, network: Path) -> None:
        self._folder = folder
        self._expected = [interpreted(network, xnnpack=xnnpack) for xnnpack in (True, False)]
        self.program, self.requests = folder / "serving_client", folder / "requests"
        subprocess.run(["cc", "-O2", "-o", str(self.program), str(SOURCE)], check=True)
        self.requests.write_bytes(b"".join(map(encode_inference_request, DIGITS)))

    def replies(self, port: int) -> Path:
        """A file with what a server answers to the requests.

        Raises:
            SystemExit: It answers what the bare interpreter gives with neither kind of kernels.
        """
        answers = list[bytes]()
        with socket.create_connection(("127.0.0.1", port), 60) as client, client.makefile("rb") as stream:
            for digit in DIGITS:
                client.sendall(encode_inference_request(digit))
                answers.append(stream.read(REPLY_SIZE))
        outputs = np.stack([_outputs(answer) for answer in answers])
        differences = [float(np.abs(outputs - expected).max()) for expected in self._expected]
        if min(differences) > TOLERANCE:
            raise SystemExit(f"the server's outputs are {min(differences):.3g} off the bare interpreter's")
        path = self._folder / f"replies_{port}"
        path.write_bytes(b"".join(answers))
        return path

    def words(self, port: int, replies: Path, kind: str, connections: int, seconds: float) -> list[str]:
        """Its command."""
        way, window = ("one-each", 1) if kind == "one-each" else ("kept", WINDOW if kind == "pipelined" else 1)
        files = [str(self.requests), str(replies)]
        return [str(self.program), str(port), way, *files, str(connections), str(window), str(seconds)]


def _outputs(answer: bytes) -> NDArray[np.float64]:
    reply = decode_reply(answer)
    assert isinstance(reply, InferenceReply)
    return np.array(reply.outputs)
