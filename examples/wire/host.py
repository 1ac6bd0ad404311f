"""A host in plain Python, written from docs/wire.md: python host.py NET.tflite --port 7433 [--runtime litert].

Sends a network to a device, runs random samples on it, several requests ahead, and prints what it tells.
"""

import argparse
import hashlib
import os
import random
import select
import socket
import statistics
import struct
from math import prod
from pathlib import Path

import frames
import mp
from frames import CHECKED, DATA, ERROR, HELLO, MODEL, MORE, OK, OUTPUT, PROCESS, RUN, STATS

SIZES = {"float16": 2, "float32": 4, "float64": 8, "bool": 1} | {
    f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)
}


#: Bytes that any link takes in without anybody reading at its other end.
AHEAD = 4096


class DeviceError(Exception):
    """What a device answered instead of OK."""


class Device:
    """A device at the end of a connection."""

    def __init__(self, connection):
        self.connection, self.request = connection, 0

    def hello(self):
        """What the device says of itself, and its machine."""
        owner = [os.urandom(16).hex(), "plain host", 0, False, b"", b""]
        header, machine = self.ask(HELLO, mp.pack([1, "plain host", 4096, 1 << 28, [], [], "", 0, "", None, owner]))
        answer = mp.unpack(header)
        if answer[0] != 1:
            raise DeviceError(f"it speaks version {answer[0]}")
        self.max_payload = answer[3]
        self.kinds = answer[4] if len(answer) > 4 else []
        return answer, mp.unpack(machine) if machine else None

    def load(self, path, runtime):
        """Send the network in the file ``path``; what was loaded."""
        file = path.read_bytes()
        digest = hashlib.sha256(file).hexdigest()
        model = [runtime, {}, path.suffix[1:], digest, path.name]
        if len(file) <= self.max_payload:
            _, answer = self.ask(MODEL, mp.pack(model), file)
        else:
            for place in range(0, len(file), self.max_payload):
                part = file[place : place + self.max_payload]
                _, answer = self.ask(MODEL, mp.pack([*model, place, len(file)]), part)
        self.loaded = mp.unpack(answer)
        if self.loaded["sha256"] != digest:
            raise DeviceError("it loaded another file")
        return self.loaded

    def step(self, parts):
        """One sample by DATA, PROCESS, OUTPUT and STATS; its outputs, and its time in ns."""
        self.ask(DATA, frames.tensors(1, parts), b"".join(parts))
        self.send(PROCESS)
        if not self.take(self.request)[0] & MORE:
            raise DeviceError("it answered PROCESS with one OK")
        self.take(self.request)
        header, payload = self.ask(OUTPUT)
        _, answer = self.ask(STATS)
        return frames.split(header, payload)[2], mp.unpack(answer)[0]

    def run(self, portions):
        """Portions of samples, each a count and the bytes of each input, by RUN, as many ahead as the device grants.

        Returns:
            For each portion its outputs, and its times in ns.
        """
        portions, due, done = list(portions), [], []
        window = max(1, self.loaded.get("window", 1))
        if max(len(tensor) for _, parts in portions for tensor in parts) > AHEAD:
            window = 1  # this host cannot read while it sends
        while portions or due:
            if portions and len(due) < window:
                count, parts = portions.pop(0)
                # The device need not read while it answers: where an answer waits, it is taken first.
                while due and select.select([self.connection], [], [], 0)[0]:
                    done.append(self.results(due.pop(0)))
                self.send(RUN, frames.tensors(count, parts), b"".join(parts))
                due.append((self.request, count))
            else:
                done.append(self.results(due.pop(0)))
        return done

    def results(self, due):
        request, count = due
        _, header, payload = self.take(request)
        answered, times, outputs = frames.split(header, payload, before=8)
        if answered != count or len(outputs) != len(self.loaded["outputs"]):
            raise DeviceError("it answered another number of samples or outputs")
        return outputs, struct.unpack(f"<{count}q", times)

    def ask(self, kind, header=b"", payload=b""):
        self.send(kind, header, payload)
        return self.take(self.request)[1:]

    def send(self, kind, header=b"", payload=b""):
        self.request += 1
        frames.send(self.connection, kind, self.request, header, payload, CHECKED if payload else 0)

    def take(self, request):
        """Flags, header and payload of the answer to ``request``."""
        kind, flags, answered, header, payload = frames.receive(self.connection)
        if kind == ERROR and answered in (request, 0):
            code, message = mp.unpack(header)[:2]
            raise DeviceError(f"error {code}: {message}")
        if kind != OK or answered != request:
            raise DeviceError(f"it answered request {answered} with a message of kind {kind}")
        return flags, header, payload


def main():
    """Measure a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--port", type=int, default=7433)
    parser.add_argument("--runtime", default="litert")
    parser.add_argument("--samples", type=int, default=100)
    given = parser.parse_args()
    with socket.create_connection(("127.0.0.1", given.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        device = Device(connection)
        answer, machine = device.hello()
        print(f"device: {answer[1]}, {machine['cpu'] if machine else 'machine not told'}")
        loaded = device.load(given.network, given.runtime)
        print(f"loaded: {loaded['runtime']} {loaded['runtime_version']}, clock {loaded['clock']}")
        sizes = [prod(spec["shape"]) * SIZES[spec["dtype"]] for spec in loaded["inputs"]]
        random.seed(0)
        # Bytes below 64: small numbers in any dtype.
        samples = [[bytes(random.randrange(64) for _ in range(size)) for size in sizes] for _ in range(given.samples)]
        first, time = device.step(samples[0])
        print(f"first inference: {time} ns")
        if not device.kinds or RUN in device.kinds:
            portions = [
                (len(part), [b"".join(tensor) for tensor in zip(*part, strict=True)])
                for part in (samples[at : at + 10] for at in range(0, len(samples), 10))
            ]
            done = device.run(portions)
            times = [time for _, portion in done for time in portion]
            again = [tensor[: len(tensor) // portions[0][0]] for tensor in done[0][0]]
        else:
            done = [device.step(sample) for sample in samples]
            times, again = [time for _, time in done], done[0][0]
        print(f"median: {statistics.median(times):.0f} ns of {len(times)}")
        print(f"same outputs both ways: {'yes' if again == first else 'NO'}")


if __name__ == "__main__":
    main()
