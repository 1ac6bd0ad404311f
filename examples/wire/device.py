"""A device under test in plain Python, written from docs/wire.md: python device.py --port 7433 [--kinds 3,4,5,6,7].

Its engine is a toy: whatever file it is sent, it doubles four floats. Put your own in `Engine`.
"""

import argparse
import array
import hashlib
import socket
import time

import frames
import mp
from frames import CHECKED, DATA, ERROR, HELLO, IO, LOG, MEMORY, MODEL, MORE, OK, OUTPUT, PROCESS, RUN, STATS

#: Error codes.
INTERNAL, UNSUPPORTED, INFERENCE = 1, 4, 27
SPEC = {"shape": [1, 4], "dtype": "float32", "quantization": None}
#: The largest header and payload that it takes.
LIMITS = 4096, 1 << 24


class RefusedError(Exception):
    """A request that is answered with ERROR."""

    def __init__(self, code, message):
        self.code, self.message = code, message


class Engine:
    """A network that doubles four floats."""

    def __init__(self, file):
        self.sha256 = hashlib.sha256(file).hexdigest()

    def infer(self, sample):
        """The output of one sample, both as bytes, and the time in ns of what is to be measured alone."""
        values = array.array("f", sample)
        start = time.perf_counter_ns()
        doubled = array.array("f", [2 * value for value in values])
        return doubled.tobytes(), time.perf_counter_ns() - start


class Session:
    """One host's session."""

    def __init__(self, connection, kinds, machine, window):
        self.connection, self.kinds, self.machine, self.window = connection, kinds, machine, window
        self.engine = self.waiting = self.result = None
        self.loaded, self.inferences, self.last = {}, 0, 0
        self.checked = 0

    def serve(self):
        """Answer requests until the host hangs up."""
        while True:
            try:
                kind, flags, request, header, payload = frames.receive(self.connection, LIMITS[1])
            except EOFError:
                return
            except ValueError as error:
                self.send(ERROR, 0, mp.pack([3, str(error), None, []]))
                return
            if payload:
                self.checked = flags & CHECKED
            self.request = request
            try:
                answer = self.answer(kind, header, payload)
            except RefusedError as failure:
                self.send(ERROR, request, mp.pack([failure.code, failure.message, None, []]))
            except Exception as error:
                self.send(ERROR, request, mp.pack([INTERNAL, f"{type(error).__name__}: {error}", None, []]))
            else:
                self.send(OK, request, *answer)

    def send(self, kind, request, header=b"", payload=b"", flags=0):
        frames.send(self.connection, kind, request, header, payload, flags | (self.checked if payload else 0))

    def answer(self, kind, header, payload):
        """Header and payload of the OK to a request."""
        if kind not in self.kinds:
            raise RefusedError(UNSUPPORTED, f"Requests of kind {kind} are not known here.")
        if kind == HELLO:
            return mp.pack([1, "toy device", *LIMITS, self.kinds, ["toy"], self.clock]), mp.pack(self.machine)
        if kind == MODEL:
            return b"", self.load(mp.unpack(header), payload)
        if kind == STATS:
            asked = mp.unpack(header) if header else []
            machine = self.machine if asked and asked[0] else None
            return b"", mp.pack([self.last, self.inferences, time.process_time_ns(), machine])
        if kind == LOG:
            return b"", b"the toy device has nothing to say\n"
        if self.engine is None:
            raise RefusedError(INFERENCE, "MODEL must come first.")
        if kind == IO:
            return b"", mp.pack(self.loaded)
        if kind == MEMORY:
            size = {"is": "number", "value": 32.0, "unit": "B", "kind": "measured", "method": "eight floats"}
            return b"", mp.pack({"arena": size})
        if kind == DATA:
            self.waiting = frames.split(header, payload)
            return b"", b""
        if kind == PROCESS:
            if self.waiting is None:
                raise RefusedError(INFERENCE, "DATA must come first.")
            self.send(OK, self.request, flags=MORE)
            self.result = self.run(*self.waiting)
            return b"", b""
        if kind == OUTPUT:
            if self.result is None:
                raise RefusedError(INFERENCE, "PROCESS must come first.")
            count, _, output = self.result
            return frames.tensors(count, [output]), output
        count, times, output = self.run(*frames.split(header, payload))
        if kind == RUN:
            return frames.tensors(count, [output]), times + output
        return b"", mp.pack({"is": "unavailable", "reason": "a toy has no operators"})  # PROFILE

    clock = "perf_counter_ns, 1 ns"

    def load(self, asked, file):
        runtime, _, _, sha256 = asked[:4]
        engine = Engine(file)
        if engine.sha256 != sha256:
            raise RefusedError(INFERENCE, "The file is not the one that was announced.")
        self.engine, self.waiting, self.result, self.inferences, self.last = engine, None, None, 0, 0
        self.loaded = {
            "inputs": [{"name": "x", **SPEC}], "outputs": [{"name": "y", **SPEC}], "load_seconds": 0.0,
            "sha256": sha256, "runtime": runtime, "runtime_version": "toy 1", "threads": 1, "clock": self.clock,
            "invoke_method": "a loop in Python", "window": self.window,
        }  # fmt: skip
        return mp.pack(self.loaded)

    def run(self, count, _, parts):
        if len(parts) != 1 or len(parts[0]) != 16 * count:
            raise RefusedError(INFERENCE, "The network takes one tensor of four floats a sample.")
        outputs, times = b"", b""
        for place in range(count):
            output, self.last = self.engine.infer(parts[0][16 * place : 16 * place + 16])
            outputs += output
            times += self.last.to_bytes(8, "little", signed=True)
            self.inferences += 1
        return count, times, outputs


def main():
    """Serve one host after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7433, help="0 for a free one")
    parser.add_argument("--kinds", default="3,4,5,6,7,8,9,10,11,12,14", help="kinds of requests that it knows")
    parser.add_argument("--window", type=int, default=4, help="requests that a host may send ahead")
    parser.add_argument("--no-machine", action="store_true", help="tell nothing of the machine")
    given = parser.parse_args()
    machine = {"host": "toy", "system": "none", "architecture": "toy", "cpu": "toy", "cores": 1}
    kinds = [int(kind) for kind in given.kinds.split(",")]
    with socket.create_server(("127.0.0.1", given.port)) as listener:
        print(f"listening on tcp://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                try:
                    Session(connection, kinds, None if given.no_machine else machine, given.window).serve()
                except OSError:
                    continue  # this host is gone; the next one may come


if __name__ == "__main__":
    main()
