"""A device that speaks the protocol of MLPerf Tiny: who it is, its samples and its inferences."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.errors import AnswerError, IncompatibleError, TargetError
from edgerig.suites.mlperf_tiny.grammar import DATA_BYTES, DATA_BYTES_BEHIND_MANAGER, LOAD_DONE
from edgerig.suites.mlperf_tiny.runner.answers import USUAL_INFERENCE, Asked, Inference, parse_inference, read_usual
from edgerig.suites.mlperf_tiny.runner.line import DeviceLine, ReceivedLine
from edgerig.text import one_line

#: Seconds in which a device answers a command that computes nothing.
ANSWER_SECONDS = 5.0
#: Seconds that a device may take to start when its port is opened, which resets many boards, and how often it is
#: asked for its name meanwhile.
BOOT_SECONDS, GREETINGS = 2.5, 4
#: Seconds without a byte after which nothing more comes of an earlier answer.
QUIET_SECONDS = 0.05


class Identity(msgspec.Struct, frozen=True):
    """What a device says of itself: its name, its profile and the benchmark that it runs."""

    name: str
    profile: str
    model: str


class Device:
    """The device behind a line.

    Args:
        line: Its line.
        answer_seconds: In which it answers a command that computes nothing.
        boot_seconds: In which it answers the first one.
        real_time: Whether a second on the device is one on the host, as it is not on a simulated one.

    Attributes:
        line: Its line.
        real_time: As above.
        data_bytes: Bytes of a sample in one ``db`` command.
    """

    def __init__(
        self,
        line: DeviceLine,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        boot_seconds: float = BOOT_SECONDS,
        real_time: bool = True,
    ) -> None:
        self.line, self.real_time = line, real_time
        self._answer_seconds, self._boot_seconds = answer_seconds, boot_seconds
        self.data_bytes = DATA_BYTES_BEHIND_MANAGER if line.behind_board else DATA_BYTES

    def identify(self) -> Identity:
        """Wait until the device answers, and ask who it is.

        A device that starts when its port is opened answers late, or not to the first question.

        Raises:
            TargetError: It does not answer. AnswerError: it does not say which benchmark it runs.
        """
        name = self._greet()
        profile, model = "", ""
        lines = self.line.ask("profile", self._answer_seconds)
        for line in lines:
            message = line.message
            if message is not None:
                profile = message.value("profile") or profile
                model = message.value("model") or model
        if not model:
            last = one_line(lines[-1].text) if lines else "nothing"
            raise AnswerError(
                f"The device does not say which benchmark it runs: its answer to 'profile' has no line m-model, and "
                f"ends in {last!r}."
            )
        return Identity(name, profile, model)

    def check(self, identity: Identity, benchmark: Benchmark) -> None:
        """That the device runs ``benchmark``.

        Raises:
            IncompatibleError: It runs another one.
        """
        if identity.model != benchmark.name:
            raise IncompatibleError(
                f"The device runs {one_line(identity.model)!r}, and the benchmark is {benchmark.name}: it answered "
                f"'profile' with 'm-model-[{one_line(identity.model)}]'.",
                f"Flash the firmware for {benchmark.name}, or choose --benchmark {one_line(identity.model)}.",
            )

    def load(self, data: bytes) -> None:
        """Bring the input of one inference into the device's buffer.

        Raises:
            AnswerError: It does not take it. TargetError: it does not answer.
        """
        lines = self.line.ask(f"db load {len(data)}", self._answer_seconds)
        if not any(line.text == f"m-[Expecting {len(data)} bytes]" for line in lines):
            last = one_line(lines[-1].text) if lines else "nothing"
            raise AnswerError(
                f"The device does not take {len(data):,} bytes: it answered 'db load {len(data)}' with {last!r}.",
                "Is its buffer large enough, and is this the benchmark that it runs?",
            )
        ask, seconds, step = self.line.ask, self._answer_seconds, self.data_bytes
        last_start = (len(data) - 1) // step * step
        for start in range(0, len(data), step):
            lines = ask(f"db {data[start : start + step].hex()}", seconds)
            if lines or start == last_start:
                self._check_loaded(lines, start, start == last_start)

    def infer(self, iterations: int, warm_up: int, counts: Sequence[int], seconds: float) -> Inference:
        """Run what is in the buffer.

        Args:
            iterations: Inferences that are measured.
            warm_up: Inferences before them.
            counts: How many results an inference may have.
            seconds: That it may take in all.

        Raises:
            AnswerError: The answer is wrong. TargetError: there is none in time.
        """
        sent = time.monotonic()
        asked = Asked(iterations, warm_up, counts, sent, self.real_time)
        answer = self.line.ask_for(USUAL_INFERENCE, f"infer {iterations} {warm_up}", seconds)
        if isinstance(answer, list):
            return parse_inference(answer, asked)
        return read_usual(answer, asked) or parse_inference(answer.lines, asked)

    def close(self) -> None:
        """Close the line."""
        self.line.close()

    def _greet(self) -> str:
        """Its name, once it answers."""
        failure: TargetError | None = None
        for attempt in range(GREETINGS):
            try:
                lines = self.line.ask("name", self._boot_seconds)
            except AnswerError as error:
                # What it had of an earlier command, or its start, is in the way of the first answer.
                failure = error
            except TargetError as error:
                if isinstance(error.__cause__, ConnectionError):
                    raise
                failure = error
            else:
                name = _name_in(lines)
                if name is not None:
                    if attempt:
                        self.line.discard_until_silence(QUIET_SECONDS, self._answer_seconds)
                    return name
            # The ready of a start comes without a question: the answer to ours may still be on its way.
            texts = self.line.discard_until_silence(QUIET_SECONDS, self._boot_seconds)
            self.line.transcript.note(f"no name yet; {len(texts)} lines came beside")
        if failure is not None:
            raise failure
        recent = self.line.transcript.recent
        last = f"; its last line is {one_line(recent[-1])!r}" if recent else ""
        raise AnswerError(
            f"The device does not say its name: its answers to 'name' have no line m-name-dut-[..]{last}.",
            "Is its firmware one for MLPerf Tiny?",
        )

    def _check_loaded(self, lines: Sequence[ReceivedLine], start: int, last: bool) -> None:
        done = any(line.text == LOAD_DONE for line in lines)
        if done == last:
            return
        if last:
            raise AnswerError(
                f"The device does not say {LOAD_DONE} after the last byte of a sample.",
                f"Does the line lose bytes? Its command buffer must take {self.data_bytes} bytes of data in a line.",
            )
        raise AnswerError(
            f"The device said {LOAD_DONE} at byte {start + self.data_bytes:,}, before the sample was whole.",
            "Does something else write to its line?",
        )


def _name_in(lines: Sequence[ReceivedLine]) -> str | None:
    for line in lines:
        message = line.message
        name = message.value("name-dut") if message is not None else None
        if name is not None:
            return name
    return None
