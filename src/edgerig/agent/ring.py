"""A session whose samples and results lie in memory that it shares with its host: `edgerig.wire.ring`."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Sequence

from edgerig.agent.held_network import HeldNetwork
from edgerig.agent.loading import out_of_memory
from edgerig.errors import InferenceError, WireError
from edgerig.runtimes.base import Array, Runtime
from edgerig.runtimes.inferences import copy_output
from edgerig.tensors import TensorSpec
from edgerig.wire import messages
from edgerig.wire.frame import Frame
from edgerig.wire.link import Link, PairLink
from edgerig.wire.messages import Failure, failure_of, pack
from edgerig.wire.ring import DESCRIPTORS, FAILURE_BYTES, MOST_RINGS, Ring, RingHeader, Slot, available, fits

#: Slots, and inferences in one, at most.
MOST_SLOTS, MOST_ROWS = 64, 1 << 16


def check_ring(header: RingHeader, runtime: Runtime, link: Link) -> None:
    """Whether a ring of that kind can be had over ``link``.

    Raises:
        Unsupported: The host is not on this machine, or the system has no such memory. InferenceError: The network's
            outputs have no size that is known beforehand. WireError: It has no slots.
    """
    if not isinstance(link, PairLink) or not available():
        raise messages.Unsupported("This session shares no memory with its host.")
    if not fits(runtime.inputs, runtime.outputs):
        raise InferenceError("The network has outputs whose size is not known beforehand.", "Send RUN.")
    if not (1 <= header.slots <= MOST_SLOTS and 1 <= header.rows <= MOST_ROWS and 1 <= header.rings <= MOST_RINGS):
        raise WireError(f"A session has no {header.rings} rings of {header.slots} slots of {header.rows} inferences.")


class RingRequests:
    """Grants a ring, and answers through it until its host ends it.

    Args:
        link: To the host. held: Gives the network that is loaded, or raises `InferenceError`.
    """

    def __init__(self, link: Link, held: Callable[[], HeldNetwork]) -> None:
        self._link, self._held = link, held
        self._granted: RingHeader | None = None

    def grant(self, frame: Frame) -> tuple[bytes, Sequence[memoryview]]:
        """The answer to RING, after which `serve` is to be called."""
        header: RingHeader = messages.unpack(frame.header, RingHeader)
        check_ring(header, self._held().runtime, self._link)
        self._granted = header
        return b"", ()

    def serve(self) -> None:
        """Take the descriptors that follow the answer to RING, and answer what comes; at once where there was none.

        Raises:
            WireError: They are not as they must be.
        """
        if self._granted is None:
            return
        assert isinstance(self._link, PairLink)
        header, self._granted = self._granted, None
        try:
            ring = RingServer(self._link, header, self._held())
        except (OSError, ValueError) as error:
            raise WireError(f"No memory is shared: {error}.") from error
        try:
            ring.serve()
        finally:
            ring.close()


class _Served:
    """One ring, and the two counters over it; the descriptors are its own from now on."""

    def __init__(self, descriptors: Sequence[int], header: RingHeader, runtime: Runtime) -> None:
        memory, self.requests, self.answers = descriptors
        self.number = 0
        self.ring = Ring(memory, header, runtime.inputs, runtime.outputs)

    def close(self) -> None:
        """Give up the counters; the memory goes with the last array over it."""
        os.close(self.requests)
        os.close(self.answers)


class RingServer:
    """Answers what its host writes into a ring, or into several, until the host ends one of them.

    Args:
        link: Over which the host sends the descriptors now. header: Its request, checked by `check_ring`.
        network: What runs the samples.

    Raises:
        OSError, ValueError: The descriptors, or the memory, are not as they must be.
    """

    def __init__(self, link: PairLink, header: RingHeader, network: HeldNetwork) -> None:
        self._network, runtime = network, network.runtime
        wanted = DESCRIPTORS * header.rings
        _, descriptors, _, _ = socket.recv_fds(link.socket, 1, wanted)
        if len(descriptors) != wanted:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ValueError(f"{len(descriptors)} descriptors came instead of {wanted}")
        try:
            self._rings = [
                _Served(descriptors[first : first + DESCRIPTORS], header, runtime)
                for first in range(0, wanted, DESCRIPTORS)
            ]
        finally:
            for memory in descriptors[::DESCRIPTORS]:
                os.close(memory)
        #: Of each inference in a slot its sample and its results, with their batch axis, as `Runtime.run_one` has them.
        places = {
            slot: [
                (_of(slot.inputs, runtime.inputs, row), _of(slot.outputs, runtime.outputs, row))
                for row in range(header.rows)
            ]
            for served in self._rings
            for slot in served.ring.slots
        }
        self._placed = {slot: runtime.placed(samples, slot.times) for slot, samples in places.items()}
        self._warm = False

    def serve(self) -> None:
        """Answer, in order, until a request of no inferences comes."""
        if len(self._rings) == 1:
            while self._answer_all(self._rings[0]):
                pass
            return
        poll, rings = select.poll(), {served.requests: served for served in self._rings}
        for descriptor in rings:
            poll.register(descriptor, select.POLLIN)
        while all(self._answer_all(rings[descriptor]) for descriptor, _ in poll.poll()):
            pass

    def close(self) -> None:
        """Give up all descriptors."""
        for served in self._rings:
            served.close()

    def _answer_all(self, served: _Served) -> bool:
        """Answer what came in one ring; False where that ends the exchange."""
        for _ in range(os.eventfd_read(served.requests)):
            served.number += 1
            slot = served.ring.slot(served.number)
            _, count, _ = slot.read_head()
            if not count:
                return False
            slot.begin(served.number)
            self._answer(slot, served.number, count)
            os.eventfd_write(served.answers, 1)
        return True

    def _answer(self, slot: Slot, number: int, count: int) -> None:
        try:
            if self._warm:
                # Each by itself, to and from where it lies: without the checks and copies of `Runtime.run`.
                self._placed[slot](count)
                self._network.count(count, int(slot.times[count - 1]))
            else:
                result = self._network.run([array[:count] for array in slot.inputs])
                slot.times[:count], outputs, self._warm = result.times_ns, result.outputs, True
                _put(slot, count, outputs)
            slot.write_head(number, count)
        except MemoryError:
            self._fail(slot, number, count, failure_of(out_of_memory()))
        except Exception as error:
            self._fail(slot, number, count, failure_of(error))

    @staticmethod
    def _fail(slot: Slot, number: int, count: int, failure: Failure) -> None:
        data = pack(failure)
        if len(data) > FAILURE_BYTES:
            data = pack(Failure(failure.code, failure.message[:1000], None))
        slot.write_failure(number, count, data)


def _of(arrays: Sequence[Array], specs: Sequence[TensorSpec], row: int) -> tuple[Array, ...]:
    """The place of an inference in a slot's arrays, in the tensors' own shapes."""
    return tuple(array[row : row + 1].reshape(spec.shape) for array, spec in zip(arrays, specs, strict=True))


def _put(slot: Slot, count: int, outputs: Sequence[Array]) -> None:
    for target, array in zip(slot.outputs, outputs, strict=True):
        copy_output(array, target[:count])
