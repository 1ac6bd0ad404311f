"""The process that holds one network: ``python -m edgerig.agent.worker --fd N --folder DIR``.

It speaks the wire over the socket that it inherits as file descriptor N, and ends when the peer closes that socket or
when its parent, which holds the other end of its standard input, is gone.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":  # The collector would look through all that is imported: a twelfth of the start.
    gc.disable()

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgerig import child_logs, plugins
from edgerig.agent.elsewhere import HandedOver, hand_over, interpreter_of, taken_over
from edgerig.agent.greeting import answer_hello
from edgerig.agent.held_network import HeldNetwork
from edgerig.agent.loading import (
    check_libraries,
    check_machine_code,
    errors_name,
    last_output,
    out_of_memory,
    unknown_runtime,
)
from edgerig.agent.ring import RingRequests
from edgerig.agent.sampling import Sampling
from edgerig.agent.single_sample import as_bytes
from edgerig.agent.upload import Upload
from edgerig.agent.watch import end, watch
from edgerig.agent.worker_options import argument_parser, inherited_link, limit_resources
from edgerig.agent.worker_process import ERRORS
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import EdgerigError, InferenceError, WireError
from edgerig.logs import Levels
from edgerig.measure.machine import observe
from edgerig.measure.memory import current_rss
from edgerig.measure.power import sensors
from edgerig.runtimes.base import Array, Runtime
from edgerig.wire import messages
from edgerig.wire.frame import CHECKED, MORE, Frame, FrameReader, FrameWriter, Kind, Limits
from edgerig.wire.link import Link
from edgerig.wire.messages import Failure, ModelHeader, Statistics, StatsHeader, pack, unpack
from edgerig.wire.pace import TooSlow

# Not by __name__: this module is the main one of its process.
_logger = logging.getLogger("edgerig.agent.worker")

#: Bytes from the end of the output of engine and process that LOG returns.
LOG_BYTES = 4096
_LAST_WORDS_SECONDS = 1.0
Buffers = Sequence[memoryview]
Answer = tuple[bytes, Buffers]


class Worker:
    """One session: loads a network, runs it, answers about it.

    Args:
        link: Connected to the host.
        folder: Where the network's file is put, under its hash.
        runtimes: Names that may be asked for; empty for any that can be found.
        limits: The largest messages that are taken.
        grace: Seconds in which a message that has begun must move on (`edgerig.wire.pace`), there and back; None for
            however slowly.
        libraries: Files that settings may have code loaded from; None for any.
        machine_code: Runtimes that may run networks of machine code; None for any.
        engines: Interpreters that runtimes have, by name; None for this one alone.
    """

    def __init__(
        self,
        link: Link,
        folder: Path,
        runtimes: Sequence[str] = (),
        limits: Limits | None = None,
        grace: float | None = None,
        libraries: Sequence[str] | None = (),
        machine_code: Sequence[str] | None = (),
        engines: Mapping[str, str] | None = None,
    ) -> None:
        self.link, self.folder, self.runtimes = link, folder, tuple(runtimes)
        self.libraries, self.machine_code, self.engines = libraries, machine_code, engines
        self._there: Interpreter | None = None
        self._network: HeldNetwork | None = None
        self._reader = FrameReader(link, limits, grace=grace)
        self._writer = FrameWriter(link, checked=link.checked)
        self._sampling = Sampling()
        self._ring = RingRequests(link, self._held)
        limits = self._reader.limits
        self._upload = Upload(folder, limits.model if limits.model is not None else limits.payload)
        self._answers: dict[int, Callable[[Frame], Answer]] = {
            Kind.HELLO: self._hello,
            Kind.MODEL: self._model,
            Kind.RUN: self._run,
            Kind.DATA: self._data,
            Kind.PROCESS: self._process,
            Kind.OUTPUT: self._output,
            Kind.STATS: self._stats,
            Kind.PROFILE: self._profile,
            Kind.MEMORY: self._memory,
            Kind.IO: self._io,
            Kind.RESET: self._reset,
            Kind.LOG: self._log,
            Kind.BEGIN: self._begin,
            Kind.CENSUS: self._census,
            Kind.RING: self._ring.grant,
        }

    def serve(self) -> None:
        """Answer requests until the host hangs up, falls silent for too long, or sends what is no message."""
        try:
            while True:
                frame = self._reader.read()
                self._answer(frame)
                self._ring.serve()
                self._sampling.tick(self._inferences)
                # A reference to a large payload would keep it in memory during the measurement.
                del frame
        except ConnectionError:
            return
        except TimeoutError as error:
            why = str(error) if isinstance(error, TooSlow) else "no request came for too long"
            # A peer that reads nothing will not read the ERROR either.
            self.link.set_timeout(_LAST_WORDS_SECONDS)
            self._fail(0, Failure(messages.INTERNAL, f"The session was closed: {why}."))
        except WireError as error:
            self._fail(0, Failure(messages.BAD_FRAME, error.message, error.hint))
        except MemoryError:
            self._fail(0, messages.failure_of(out_of_memory()))
        finally:
            self.link.close()
            if self._network is not None:
                self._network.close()

    def _answer(self, frame: Frame) -> None:
        answer = self._answers.get(frame.kind)
        if answer is None:
            text = f"Messages of kind {frame.kind} are not understood here."
            self._fail(frame.request, Failure(messages.UNSUPPORTED, text, "Install the same edgerig on both sides."))
            return
        if len(frame.payload):
            # The host decides whether the link needs checksums; the answer follows it.
            self._writer.checked = bool(frame.flags & CHECKED)
        try:
            header, payload = answer(frame)
        except (ConnectionError, TimeoutError):
            raise
        except MemoryError:
            self._fail(frame.request, messages.failure_of(out_of_memory()))
            return
        except Exception as error:
            self._fail(frame.request, messages.failure_of(error))
            return
        self._send(Kind.OK, frame.request, header, payload)

    def _send(self, kind: Kind, request: int, header: bytes = b"", payload: Buffers = (), flags: int = 0) -> None:
        self._writer.write(kind, request, header, payload, flags=flags)

    def _fail(self, request: int, failure: Failure) -> None:
        with contextlib.suppress(OSError):
            self._send(Kind.ERROR, request, pack(failure))

    def _hello(self, frame: Frame) -> Answer:
        return answer_hello(frame, self.runtimes, self._reader.limits)

    def _model(self, frame: Frame) -> Answer:
        header: ModelHeader = unpack(frame.header, ModelHeader)
        last = header.offset + len(frame.payload) >= header.total
        try:
            # Before the file is put in its place: the runtime's module may bring the format that says how.
            runtime = self._make(header) if last else None
        except EdgerigError:
            self._upload.drop()
            raise
        path = self._upload.add(header, frame.payload)
        if path is None or runtime is None:
            return b"", ()
        if self._there is not None:
            _logger.info("%s runs in Python %s, %s", header.runtime, self._there.version, self._there.prefix)
            parts = (bytes(frame.header), frame.request, self._writer.checked, str(path), self._reader.take_ahead())
            hand_over(self._there, self.folder, HandedOver(*parts))
        del frame
        self._reader.release()
        self._forget()
        with errors_name(path, header.name):
            self._network = HeldNetwork(runtime, path, header)
        return b"", [memoryview(pack(self._network.specification))]

    def take_over(self, handed: HandedOver) -> None:
        """Load a network that another interpreter has received, and answer for it."""
        header: ModelHeader = unpack(handed.header, ModelHeader)
        self._writer.checked, path = handed.checked, Path(handed.path)
        self._reader.give_ahead(handed.ahead)
        self._upload.holds(path)
        try:
            with errors_name(path, header.name):
                self._network = HeldNetwork(self._make(header), path, header)
        except Exception as error:
            why = out_of_memory() if isinstance(error, MemoryError) else error
            self._fail(handed.request, messages.failure_of(why))
        else:
            self._send(Kind.OK, handed.request, b"", [memoryview(pack(self._network.specification))])

    def _forget(self) -> None:
        """Unload the network, and begin to count anew."""
        network, self._network = self._network, None
        if network is not None:
            network.close()
        self._sampling.forget()

    def _make(self, header: ModelHeader) -> Runtime:
        if self.runtimes and header.runtime not in self.runtimes:
            raise unknown_runtime(header.runtime, self.runtimes)
        runtime = plugins.make("runtime", header.runtime, Runtime, header.options, keyed=False)
        check_machine_code(runtime, self.machine_code)
        self._there = interpreter_of(type(runtime), self.engines)
        if self._there is None:
            runtime.require()
        check_libraries(runtime, self.libraries)
        return runtime

    def _run(self, frame: Frame) -> Answer:
        network = self._held()
        single = network.single
        if single is not None and frame.header == single.header:
            answer = single.run(frame.payload)
            network.count(1, single.elapsed)
            return answer
        result = network.run(self._tensors(frame))
        sizes = [array.nbytes for array in result.outputs]
        header = messages.pack_tensors(len(result.times_ns), sizes)
        return header, [as_bytes(array) for array in (result.times_ns, *result.outputs)]

    def _data(self, frame: Frame) -> Answer:
        # Copied, as the payload's view ends with the next message, before the inputs are used.
        self._held().inputs = [array.copy() for array in self._tensors(frame)]
        return b"", ()

    def _process(self, frame: Frame) -> Answer:
        network = self._network
        if network is None or network.inputs is None:
            raise InferenceError("PROCESS came before DATA.", "Send the inputs first.")
        self._send(Kind.OK, frame.request, flags=MORE)
        network.result = network.run(network.inputs)
        return b"", ()

    def _output(self, frame: Frame) -> Answer:
        result = None if self._network is None else self._network.result
        if result is None:
            raise InferenceError("OUTPUT came before PROCESS.", "Have the inputs processed first.")
        outputs, count = result.outputs, len(result.times_ns)
        return messages.pack_tensors(count, [array.nbytes for array in outputs]), [as_bytes(array) for array in outputs]

    def _stats(self, frame: Frame) -> Answer:
        header: StatsHeader = unpack(frame.header, StatsHeader) if frame.header else StatsHeader()
        machine = observe() if header.machine else None
        statistics = Statistics(
            0 if self._network is None else self._network.last_ns,
            self._inferences,
            time.process_time_ns(),
            machine,
            current_rss() if header.machine or header.sensors else None,
            sensors() if header.sensors else None,
            self._sampling.answer(header.utilisation, self._inferences),
        )
        return b"", [memoryview(pack(statistics))]

    def _profile(self, frame: Frame) -> Answer:
        return b"", [memoryview(pack(self._held().runtime.profile(self._tensors(frame))))]

    def _census(self, frame: Frame) -> Answer:
        return b"", [memoryview(pack(self._held().runtime.census(self._tensors(frame))))]

    def _memory(self, frame: Frame) -> Answer:
        return b"", [memoryview(pack(self._held().memory()))]

    def _io(self, frame: Frame) -> Answer:
        return b"", [memoryview(pack(self._held().specification))]

    def _reset(self, frame: Frame) -> Answer:
        self._upload.drop()
        self._forget()
        return b"", ()

    def _begin(self, frame: Frame) -> Answer:
        self._held().runtime.begin_sequence()
        return b"", ()

    def _log(self, frame: Frame) -> Answer:
        return b"", [memoryview(last_output(self.folder / ERRORS, LOG_BYTES).encode())]

    def _held(self) -> HeldNetwork:
        if self._network is None:
            raise InferenceError("No network is loaded.", "Send MODEL first.")
        return self._network

    def _tensors(self, frame: Frame) -> list[Array]:
        return self._held().tensors(frame, self._reader.limits.payload)

    @property
    def _inferences(self) -> int:
        return 0 if self._network is None else self._network.inferences


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one session."""
    gc.freeze()
    gc.enable()
    options = argument_parser(__doc__).parse_args(arguments)
    if options.log_fd is not None:
        child_logs.forward_to_pipe(options.log_fd, Levels(*options.log_levels))
    # The parent process decides when to end; Ctrl-C in its terminal must not end this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Files of a session, networks included, are private to this user.
    os.umask(0o077)
    link = inherited_link(options)
    threading.Thread(target=watch, args=(options.fd, 0, options.folder), daemon=True).start()
    limit_resources(options)
    limits = Limits(payload=options.max_message, model=options.max_model)
    libraries, machine_code = (None, None) if options.any_library else (options.library, options.machine_code)
    handed = taken_over(options.handed_over) if options.handed_over is not None else None
    engines = None if options.any_library or handed is not None else dict(text.split("=", 1) for text in options.engine)
    worker = Worker(link, options.folder, options.runtime, limits, link.grace, libraries, machine_code, engines)
    if handed is not None:
        worker.take_over(handed)
    worker.serve()
    end(options.folder)


if __name__ == "__main__":
    try:
        main()
    except EdgerigError as error:
        raise SystemExit(str(error)) from error
