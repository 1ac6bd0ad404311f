"""Why a line to a device does not work: the port, the right to use it, who else is on it, what the device answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from edgerig.errors import EdgerigError, TargetError
from edgerig.suites.mlperf_tiny.device.address import port_path, serial_address, tcp_address
from edgerig.suites.mlperf_tiny.device.occupants import (
    Occupant,
    is_pseudo_terminal,
    kernel_console,
    modem_manager,
    occupants,
)
from edgerig.suites.mlperf_tiny.device.question import ANSWER_SECONDS, Reply, ask_name
from edgerig.wire.link import Link, connect_tcp
from edgerig.wire.serial import SerialAddress, SerialLink, open_serial

#: Bits a second that devices use, the usual ones first.
BAUDS = (115_200, 921_600, 9_600, 230_400, 460_800, 57_600, 38_400, 19_200)
_CONNECT_SECONDS = 10.0
#: Programs on the line that are named.
_NAMED = 3


class Finding(msgspec.Struct, frozen=True):
    """One check; ``hint`` says how to mend it."""

    name: str
    state: Literal["ok", "warning", "bad"]
    text: str
    hint: str | None = None


class Diagnosis(msgspec.Struct, kw_only=True):
    """What was found on a line.

    Attributes:
        line: As the user named it.
        findings: In the order of the checks; a bad one may end them.
        device: The name that the device told; None if it told none.
        benchmark: What its network is for; None if it did not say.
        baud: Bits a second at which it answered; None where there is no bit rate, or no answer.
    """

    line: str
    findings: list[Finding] = msgspec.field(default_factory=list)
    device: str | None = None
    benchmark: str | None = None
    baud: int | None = None

    @property
    def ok(self) -> bool:
        """Whether a device answered and nothing stands in a runner's way."""
        return self.device is not None and all(finding.state != "bad" for finding in self.findings)

    def add(self, name: str, state: Literal["ok", "warning", "bad"], text: str, hint: str | None = None) -> None:
        """Append a finding."""
        self.findings.append(Finding(name, state, text, hint))


def examine(line: str, *, bauds: Sequence[int] | None = None, log: Callable[[str], None] = lambda _: None) -> Diagnosis:
    """Look at a line and ask the device for its name.

    Args:
        line: ``/dev/ttyACM0``, ``serial://..?baud=..`` or ``tcp:HOST:PORT``.
        bauds: Bits a second to try; the usual ones if None, on a pseudo-terminal only one.
        log: Hears what is tried.

    Raises:
        SpecError: It is no line. MissingExtraError: pyserial is not installed.
    """
    diagnosis = Diagnosis(line=line)
    if line.startswith("tcp:"):
        _examine_socket(diagnosis, line)
    else:
        _examine_port(diagnosis, serial_address(line), bauds, log)
    return diagnosis


def _examine_socket(diagnosis: Diagnosis, line: str) -> None:
    address = tcp_address(line)
    try:
        link = connect_tcp(address.host, address.port, _CONNECT_SECONDS)
    except OSError as error:
        hint = "Does the device's program listen there? `edgerig mlperf-tiny dut --line tcp:..` prints where."
        diagnosis.add("port", "bad", f"{address} takes no connection: {error.strerror or error}", hint)
        return
    diagnosis.add("port", "ok", f"{address} takes connections")
    try:
        _take_reply(diagnosis, _reply(link), None)
    finally:
        link.close()


def _examine_port(
    diagnosis: Diagnosis, address: SerialAddress, bauds: Sequence[int] | None, log: Callable[[str], None]
) -> None:
    path = port_path(address)
    if path is not None and path.exists():
        _examine_others(diagnosis, path)
    settings = address.line({"baud": BAUDS[0]})
    try:
        link = open_serial(address, settings)
    except TargetError as error:
        # There is none, it may not be used, or another program has it for itself: the error tells which.
        diagnosis.add("port", "bad", error.message, error.hint)
        return
    try:
        diagnosis.add("port", "ok", f"{address.url} is there and can be opened")
        if any(finding.name == "login" and finding.state == "bad" for finding in diagnosis.findings):
            diagnosis.add("answer", "bad", "not asked: the question would go into the login as a user's name")
            return
        stated = settings.baud if "baud" in address.options else None
        bitless = bauds is None and path is not None and is_pseudo_terminal(path)
        if bauds is None:
            bauds = (settings.baud,) if bitless else tuple(dict.fromkeys((settings.baud, *BAUDS)))
        _try_bauds(diagnosis, link, bauds, stated, log, bitless=bitless)
    finally:
        link.close()


def _examine_others(diagnosis: Diagnosis, path: Path) -> None:
    """Who else uses the port."""
    others = occupants(path)
    gettys = [other for other in others if other.is_getty]
    for getty in gettys:
        diagnosis.add("login", "bad", f"{getty.words} offers a login on {path}", f"Stop it: {getty.remedy}.")
    if not gettys:
        diagnosis.add("login", "ok", f"no login is offered on {path}")
    if rest := [other for other in others if not other.is_getty]:
        more = f" and {len(rest) - _NAMED} more" if len(rest) > _NAMED else ""
        users = ", ".join(other.words for other in rest[:_NAMED]) + more
        text = f"open in {users}, which may take bytes of the answer"
        diagnosis.add("others", "warning", text, "Close what should not be there: a terminal, a serial monitor.")
    if kernel_console(path):
        text = f"the kernel prints its messages on {path}, between the lines of a device"
        hint = f"Take console={path.resolve().name} off the kernel's command line, and restart."
        diagnosis.add("kernel", "warning", text, hint)
    _examine_modem_manager(diagnosis, path, modem_manager())


def _examine_modem_manager(diagnosis: Diagnosis, path: Path, manager: Occupant | None) -> None:
    # It opens USB ports alone, for some seconds after they were plugged in.
    names = (path.name, path.resolve().name)
    if manager is not None and any(name.startswith(("ttyACM", "ttyUSB")) for name in names):
        hint = f"Stop it: {manager.remedy}. Or let a udev rule set ID_MM_DEVICE_IGNORE=1 for this port."
        text = f"{manager.words} asks new USB ports whether they are modems, in the middle of a device's first seconds"
        diagnosis.add("modem manager", "warning", text, hint)


def _try_bauds(
    diagnosis: Diagnosis,
    link: SerialLink,
    bauds: Sequence[int],
    stated: int | None,
    log: Callable[[str], None],
    *,
    bitless: bool,
) -> None:
    """Ask at one rate after another until a device answers."""
    replies: dict[int, Reply] = {}
    for baud in bauds:
        if len(bauds) > 1:
            log(f"asking at {baud} bits a second ..")
        try:
            link.port.baudrate = baud
        except (OSError, ValueError) as error:
            replies[baud] = Reply(problem=f"the port cannot be set to it: {error}")
            continue
        link.discard()
        replies[baud] = _reply(link)
        if replies[baud].name is not None:
            _take_reply(diagnosis, replies[baud], None if bitless else baud)
            if stated is not None and baud != stated:
                text = f"it answers at {baud} bits a second, not at the {stated} of the address"
                diagnosis.add("baud", "bad", text, f"Write {link.name}?baud={baud}.")
            return
    # What came at the first rate says most, unless it was nothing.
    said = [reply for reply in replies.values() if reply.hint is not None]
    best = next((reply for reply in said if "nothing" not in (reply.problem or "")), said[0] if said else Reply())
    _take_reply(diagnosis, best, None, tried=tuple(replies))


def _reply(link: Link) -> Reply:
    try:
        return ask_name(link)
    except (OSError, EdgerigError) as error:
        return Reply(problem=str(error), hint="Is the cable in, and the flow control right?")


def _take_reply(diagnosis: Diagnosis, reply: Reply, baud: int | None, tried: Sequence[int] = ()) -> None:
    if reply.name is None:
        rates = f", at {', '.join(map(str, tried))} bits a second" if len(tried) > 1 else ""
        text = f"no answer to name% within {ANSWER_SECONDS:g} s: {reply.problem or 'the port takes no rate'}{rates}"
        diagnosis.add("answer", "bad", text, reply.hint)
        return
    diagnosis.device, diagnosis.benchmark, diagnosis.baud = reply.name, reply.benchmark, baud
    rate = f" at {baud} bits a second" if baud is not None else ""
    purpose = f", for {reply.benchmark}" if reply.benchmark else ""
    diagnosis.add("answer", "ok", f"the device answers{rate}: {reply.name}{purpose}")
