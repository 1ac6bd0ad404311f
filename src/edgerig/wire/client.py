"""The host's side of the protocol."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from edgerig import __version__
from edgerig.errors import AnswerError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.measure.utilisation import Utilisation
from edgerig.wire import answers, messages
from edgerig.wire.census import checked_census
from edgerig.wire.exchange import Exchange
from edgerig.wire.frame import VERSION, Frame, Kind
from edgerig.wire.messages import Hello, Loaded, ModelHeader, Statistics, StatsHeader
from edgerig.wire.ownership import (
    TOKEN_VARIABLE,
    LeaseHeader,
    Owner,
    device_proof,
    host_proof,
    new_nonce,
    same,
)
from edgerig.wire.protocol import Answer, RuntimeProtocol
from edgerig.wire.stream import Request, Stream
from edgerig.wire.upload import PART_BYTES, check_built_in, check_size, parts

_logger = logging.getLogger(__name__)

__all__ = ["Answer", "RuntimeProtocol", "WireClient"]

#: The message kinds of a device that does not know HELLO.
STEPWISE = tuple(int(kind) for kind in (Kind.DATA, Kind.MODEL, Kind.PROCESS, Kind.OUTPUT, Kind.STATS))


class WireClient(Exchange, RuntimeProtocol):
    """Speaks the protocol over a link; the arguments are those of `edgerig.wire.exchange.Exchange`."""

    # ---- the stepwise exchange

    def upload_model(self, header: ModelHeader, data: memoryview) -> Loaded:
        if self.device.network:
            check_built_in(self.who, self.device, header)
            data = memoryview(b"")
        check_size(self.who, self.device, header, data.nbytes)
        if len(messages.pack(header)) > self.device.max_header:
            header = msgspec.structs.replace(header, name="")
        start = time.monotonic()
        frame = self._upload(header, data)
        _logger.debug(
            "%s: %s, %d B, has arrived and is loaded after %.3f s",
            self.who,
            header.name or header.sha256[:12],
            data.nbytes,
            time.monotonic() - start,
        )
        loaded = answers.checked_loaded(answers.decoded(frame.payload, Loaded, "MODEL", self.who), self.who)
        self.window = loaded.window if self.link.lossless else 1
        self.answer_bytes = 8 + sum(max(0, spec.nbytes) for spec in loaded.outputs)
        return loaded

    def _upload(self, header: ModelHeader, data: memoryview) -> Frame:
        """Send a network, in parts if it is a large one."""
        for part, view in parts(header, data, min(PART_BYTES, self.device.max_payload)):
            frame = self.request(Kind.MODEL, messages.pack(part), [view])
        return frame

    def upload_input(self, inputs: Sequence[memoryview], count: int = 1) -> None:
        self.request(Kind.DATA, messages.pack_tensors(count, [part.nbytes for part in inputs]), inputs)

    def request_processing(self) -> int:
        request = self._send(Kind.PROCESS, b"", ())
        first = self._answer(request)
        start = time.perf_counter_ns()
        if not first.more:
            raise self._nonsense("it answered PROCESS with one OK instead of two")
        self._answer(request)
        return time.perf_counter_ns() - start

    def download_output(self, count: int = 1) -> list[memoryview]:
        frame = self.request(Kind.OUTPUT)
        answered, outputs = answers.tensors(frame, self.who)
        if answered != count:
            raise self._nonsense(f"it processed {count} samples and answered {answered}")
        return outputs

    def download_statistics(self, machine: bool = False, sensors: bool = False) -> Statistics:
        frame = self.request(Kind.STATS, messages.pack(StatsHeader(machine, sensors)))
        return answers.checked_statistics(answers.decoded(frame.payload, Statistics, "STATS", self.who), self.who)

    def utilisation(self, step: Literal["begin", "end"]) -> Utilisation | Unavailable:
        """Begin to sample the device between requests, or end it: the samples, or why there are none."""
        frame = self.request(Kind.STATS, messages.pack(StatsHeader(utilisation=step)))
        statistics = answers.decoded(frame.payload, Statistics, "STATS", self.who)
        answer = answers.checked_statistics(statistics, self.who).utilisation
        return answer or Unavailable(f"{self.who} does not sample its utilisation")

    # ---- sessions, streams and reports

    def hello(self, owner: Owner | None = None, token: bytes | None = None) -> MachineState:
        """Send HELLO: store the device's answer in ``device``, and return its machine state.

        Args:
            owner: The run that asks for the device; None for whoever needs no lease.
            token: Secret that proves access if the device asks for a proof. It is not sent.

        Raises:
            LeaseError: Another run has the device.
            TargetError: It refuses us, or speaks another protocol, or does not answer.
        """
        limits = self.limits
        mine = Hello(VERSION, f"edgerig {__version__}", limits.header, limits.payload, owner=owner)
        proof = b""
        self._begin_greeting()
        try:
            frame = self.request(Kind.HELLO, messages.pack(mine))
        except messages.Challenge as challenge:
            signed, proof = self._prove(owner or Owner(""), token, challenge)
            frame = self.request(Kind.HELLO, messages.pack(msgspec.structs.replace(mine, owner=signed)))
        except messages.Unsupported:
            # Every device supports the stepwise exchange at least.
            self._end_greeting()
            self.device = msgspec.structs.replace(self.device, kinds=STEPWISE)
            return unknown_machine(self.who)
        self._end_greeting()
        self.device = answers.checked_hello(answers.decoded(frame.header, Hello, "HELLO", self.who), self.who)
        if self.device.protocol != VERSION:
            raise AnswerError(
                f"{self.who} speaks version {self.device.protocol} of the protocol, this edgerig version {VERSION}.",
                "Install the same edgerig on both sides.",
            )
        if proof and not (self.device.grant and same(self.device.grant.proof, proof)):
            raise AnswerError(
                f"{self.who} asks for a token and does not know it itself.", "Is it the device that you think?"
            )
        _logger.debug("%s: %s answers", self.who, self.device.software)
        state = answers.decoded(frame.payload, MachineState | None, "HELLO", self.who) if len(frame.payload) else None
        return answers.checked_machine(state, self.who)

    def supports(self, kind: Kind) -> bool:
        """Whether the device says that it answers requests of that kind, or does not say which it does."""
        return not self.device.kinds or int(kind) in self.device.kinds

    def _prove(self, owner: Owner, token: bytes | None, challenge: messages.Challenge) -> tuple[Owner, bytes]:
        """The owner with a proof that it knows the token, and the proof that the device must answer."""
        if not challenge.nonce:
            raise challenge
        if token is None:
            raise AnswerError(
                f"{self.who} asks for a token.",
                f"Give the target's setting `token_file`, or set the variable {TOKEN_VARIABLE}.",
            )
        nonce = new_nonce()
        signed = msgspec.structs.replace(owner, nonce=nonce, proof=host_proof(token, challenge.nonce, nonce, owner.id))
        return signed, device_proof(token, challenge.nonce, nonce)

    def renew_lease(self, release: bool = False) -> None:
        """Renew the lease that a HELLO with ``keeper`` granted, or release it.

        Raises:
            LeaseError: It has passed to another owner.
        """
        self.request(Kind.LEASE, messages.pack(LeaseHeader(release)))

    def run(self, inputs: Sequence[memoryview], count: int) -> Answer:
        """Run ``count`` samples in one round trip.

        Args:
            inputs: For each input tensor the bytes of all samples.

        Raises:
            TargetError: The device went away. InferenceError: its engine failed.
        """
        header = messages.pack_tensors(count, [part.nbytes for part in inputs])
        start = time.perf_counter_ns()
        frame = self.request(Kind.RUN, header, inputs)
        round_trip = time.perf_counter_ns() - start
        return self._results(frame, count, round_trip)

    def stream(self, requests: Iterable[Request], window: int | None = None) -> Iterator[Answer]:
        """Run many requests, pipelined: the next ones are sent while the device works on one. Answers come in order.

        Args:
            requests: Arguments of `run`, drawn one at a time as the device can accept them. They must stay unchanged
                until they are answered.
            window: Requests under way at most; never more than the device has granted, nor than one on a link that
                loses bytes.

        Yields:
            Answers, whose views are valid until the next one is asked for.

        Raises:
            TargetError: The device went away. InferenceError: Its engine failed; the session goes on. Either comes
                at the answer of the request where it happened.
        """
        return Stream(self, requests, min(window or self.window, self.window)).answers()

    def profile(self, inputs: Sequence[memoryview], count: int, kind: Any) -> Any:
        """The per-operator profile over ``count`` samples, decoded as ``kind``."""
        header = messages.pack_tensors(count, [part.nbytes for part in inputs])
        layers = answers.decoded(self.request(Kind.PROFILE, header, inputs).payload, kind, "PROFILE", self.who)
        return answers.checked_layers(layers, self.who)

    def census(self, inputs: Sequence[memoryview]) -> Census | Unavailable:
        """What runs where on the device, as its engine tells; it may run the one sample that ``inputs`` are."""
        header = messages.pack_tensors(1, [part.nbytes for part in inputs])
        frame = self.request(Kind.CENSUS, header, inputs)
        return checked_census(answers.decoded(frame.payload, Census | Unavailable, "CENSUS", self.who), self.who)

    def memory(self) -> dict[str, Quantity]:
        """The memory figures that the device reports, in bytes by name."""
        quantities = answers.decoded(self.request(Kind.MEMORY).payload, dict[str, Quantity], "MEMORY", self.who)
        return answers.checked_quantities(quantities, self.who, "B")

    def specification(self) -> Loaded:
        """The loaded network's specification, as `upload_model` returned it.

        Raises:
            InferenceError: None is loaded.
        """
        return answers.checked_loaded(answers.decoded(self.request(Kind.IO).payload, Loaded, "IO", self.who), self.who)

    def reset(self) -> None:
        """Have an agent's session forget its network, a board restart."""
        self.request(Kind.RESET)

    def begin_sequence(self) -> None:
        """Have the network forget its state: the next inference is the first of a sequence.

        Raises:
            Unsupported: The device does not know the request.
            InferenceError: Its engine cannot reset the network's state.
        """
        self.request(Kind.BEGIN)

    def log(self) -> str:
        """The last lines that the device's engine or firmware has printed."""
        return answers.checked_log(self.request(Kind.LOG).payload)
