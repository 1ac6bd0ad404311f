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
from edgerig.agent.loading import (
    check_libraries,
    check_machine_code,
    errors_name,
    import_engine,
    last_output,
    network_memory,
    out_of_memory,
    specification_of,
    unknown_runtime,
)
from edgerig.agent.ring import RingRequests
from edgerig.agent.sampling import Sampling
from edgerig.agent.single_sample import SingleSampleRunner, as_bytes, samples_in
from edgerig.agent.upload import Upload
from edgerig.agent.watch import end, watch
from edgerig.agent.worker_options import argument_parser, inherited_link, limit_resources
from edgerig.agent.worker_process import ERRORS
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import EdgerigError, InferenceError, WireError
from edgerig.logs import Levels
from edgerig.measure.clocks import inference_clock
from edgerig.measure.kinds import Quantity
from edgerig.measure.machine import observe
from edgerig.measure.memory import current_rss, peak_rss, reset_peak
from edgerig.measure.power import sensors
from edgerig.runtimes.base import Array, RunResult, Runtime
from edgerig.wire import messages
from edgerig.wire.frame import CHECKED, MORE, Frame, FrameReader, FrameWriter, Kind, Limits
from edgerig.wire.link import Link
from edgerig.wire.messages import Failure, Loaded, ModelHeader, Statistics, StatsHeader, pack, unpack
from edgerig.wire.pace import TooSlow

# Not by __name__: this module is the main one of its process.
_logger = logging.getLogger("edgerig.agent.worker")

#: Requests that a host may pipeline: they wait in the socket's buffer.
WINDOW = 32
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
        self.runtime: Runtime | None = None
        self._reader = FrameReader(link, limits, grace=grace)
        self._writer = FrameWriter(link, checked=link.checked)
        self._inputs: list[Array] | None = None
        self._result: RunResult | None = None
        self._single: SingleSampleRunner | None = None
        self._sampling = Sampling()
        self._inferences = self._last_ns = 0
        self._memory: dict[str, Quantity] = {}
        self._specification: Loaded | None = None
        self._ring = RingRequests(link, self._loaded, self._infer, self._count_more)
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
            Kind.MEMORY: self._report_memory,
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
            if self.runtime is not None:
                self.runtime.close()

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
            self._load(runtime, path, header)
        return b"", [memoryview(pack(self._specification))]

    def take_over(self, handed: HandedOver) -> None:
        """Load a network that another interpreter has received, and answer for it."""
        header: ModelHeader = unpack(handed.header, ModelHeader)
        self._writer.checked, path = handed.checked, Path(handed.path)
        self._reader.give_ahead(handed.ahead)
        self._upload.holds(path)
        try:
            with errors_name(path, header.name):
                self._load(self._make(header), path, header)
        except Exception as error:
            why = out_of_memory() if isinstance(error, MemoryError) else error
            self._fail(handed.request, messages.failure_of(why))
        else:
            self._send(Kind.OK, handed.request, b"", [memoryview(pack(self._specification))])

    def _load(self, runtime: Runtime, path: Path, header: ModelHeader) -> None:
        import_engine(runtime, path)
        clock = str(inference_clock())
        since = "just before loading" if reset_peak() else "the start of the process"
        self._memory = {"rss_before_load": current_rss()}
        runtime.load(path)
        self.runtime, self._since = runtime, since
        _logger.info("%s %s has loaded %s", header.runtime, runtime.version(), header.name or header.sha256[:12])
        self._specification = specification_of(runtime, header, clock, WINDOW)

    def _forget(self) -> None:
        """Unload the network, and begin to count anew."""
        if self.runtime is not None:
            self.runtime.close()
        self._sampling.forget()
        self.runtime = self._specification = self._inputs = self._result = self._single = None
        self._inferences = self._last_ns = 0
        self._memory = {}

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
        single = self._single
        if single is not None and frame.header == single.header:
            answer = single.run(frame.payload)
            self._inferences += 1
            self._last_ns = single.elapsed
            return answer
        result = self._infer(self._tensors(frame))
        sizes = [array.nbytes for array in result.outputs]
        header = messages.pack_tensors(len(result.times_ns), sizes)
        return header, [as_bytes(array) for array in (result.times_ns, *result.outputs)]

    def _data(self, frame: Frame) -> Answer:
        # Copied, as the payload's view ends with the next message, before the inputs are used.
        self._inputs = [array.copy() for array in self._tensors(frame)]
        return b"", ()

    def _process(self, frame: Frame) -> Answer:
        if self._inputs is None:
            raise InferenceError("PROCESS came before DATA.", "Send the inputs first.")
        self._loaded()
        self._send(Kind.OK, frame.request, flags=MORE)
        self._result = self._infer(self._inputs)
        return b"", ()

    def _output(self, frame: Frame) -> Answer:
        if self._result is None:
            raise InferenceError("OUTPUT came before PROCESS.", "Have the inputs processed first.")
        outputs, count = self._result.outputs, len(self._result.times_ns)
        return messages.pack_tensors(count, [array.nbytes for array in outputs]), [as_bytes(array) for array in outputs]

    def _stats(self, frame: Frame) -> Answer:
        header: StatsHeader = unpack(frame.header, StatsHeader) if frame.header else StatsHeader()
        machine = observe() if header.machine else None
        statistics = Statistics(
            self._last_ns,
            self._inferences,
            time.process_time_ns(),
            machine,
            current_rss() if header.machine or header.sensors else None,
            sensors() if header.sensors else None,
            self._sampling.answer(header.utilisation, self._inferences),
        )
        return b"", [memoryview(pack(statistics))]

    def _profile(self, frame: Frame) -> Answer:
        return b"", [memoryview(pack(self._loaded().profile(self._tensors(frame))))]

    def _census(self, frame: Frame) -> Answer:
        return b"", [memoryview(pack(self._loaded().census(self._tensors(frame))))]

    def _count_more(self, inferences: int, elapsed: int) -> None:
        self._inferences += inferences
        self._last_ns = elapsed

    def _report_memory(self, frame: Frame) -> Answer:
        engine = self._loaded().memory()
        own = {**self._memory, "peak_rss": peak_rss(since=f"{self._since}, messages included")}
        return b"", [memoryview(pack({**own, **engine}))]

    def _io(self, frame: Frame) -> Answer:
        self._loaded()
        return b"", [memoryview(pack(self._specification))]

    def _reset(self, frame: Frame) -> Answer:
        self._upload.drop()
        self._forget()
        return b"", ()

    def _begin(self, frame: Frame) -> Answer:
        self._loaded().begin_sequence()
        return b"", ()

    def _log(self, frame: Frame) -> Answer:
        return b"", [memoryview(last_output(self.folder / ERRORS, LOG_BYTES).encode())]

    def _loaded(self) -> Runtime:
        if self.runtime is None:
            raise InferenceError("No network is loaded.", "Send MODEL first.")
        return self.runtime

    def _infer(self, inputs: list[Array]) -> RunResult:
        result = self._loaded().run(inputs)
        if not self._inferences:
            self._memory |= network_memory(self._memory["rss_before_load"], self._since)
            # Not for the first inference, which also measures memory.
            self._single = SingleSampleRunner(self._loaded())
        self._inferences += len(result.times_ns)
        self._last_ns = int(result.times_ns[-1])
        return result

    def _tensors(self, frame: Frame) -> list[Array]:
        """The inputs in a message, as views of it: arrays (n, *call_shape)."""
        specs = self._loaded().inputs
        count, views = messages.unpack_tensors(frame.header, frame.payload)
        if len(views) != len(specs):
            raise InferenceError(f"The network has {len(specs)} inputs, {len(views)} came.")
        self._check_answer(count)
        return [samples_in(view, spec, count) for view, spec in zip(views, specs, strict=True)]

    def _check_answer(self, count: int) -> None:
        """Refuse a request whose answer would exceed the message limit, before it is computed.

        The answer for a single sample is always allowed, up to what a message can hold.
        """
        size = 8 + sum(max(spec.nbytes, 0) for spec in self._loaded().outputs)
        limit = min(max(self._reader.limits.payload, size), 0xFFFFFFFF)
        if count * size > limit:
            raise InferenceError(
                f"{count} samples would be answered by {count * size} B; the limit is {limit} B.",
                "Send fewer at once, or raise --max-message of the agent.",
            )


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
