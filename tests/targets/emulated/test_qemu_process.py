"""Firmware that crashes while it runs a network: told with the function, on the simulated board and in QEMU."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.needs import need

from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import Firmware
from edgerig.errors import TargetError, WireError
from edgerig.simulator.simulator import WIRE, Simulator
from edgerig.targets.emulated import qemu
from edgerig.targets.emulated import qemu_process as emulators
from edgerig.targets.emulated.simulator_link import SimulatorLink
from edgerig.targets.resolve import target_for
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Kind

#: What 16 inputs look like that crash, and that do not.
FATAL, HARMLESS = bytes([42] * 16), bytes(16)


@pytest.fixture
def crashing(write_network: Any) -> Callable[[str], Firmware]:
    """Builds for a board a network whose first layer is no code at all where its first input is 42."""

    def build(name: str) -> Firmware:
        network = write_network()
        code = Path(network.folder) / "model.c"
        none = "unimp" if load_board(name).architecture == "riscv32" else "udf #0"
        text = code.read_text().replace(
            "int i, j;\n", 'int i, j;\n    if (in[0] == 42) { __asm__("' + none + '"); }\n', 1
        )
        code.write_text(text)
        return build_firmware(load_board(name), network, None)

    return build


@pytest.fixture(
    params=[
        "stm32f746",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("mps2-an386", "mps3-an547", "virt-rv32imc")),
    ]
)
def client(request: pytest.FixtureRequest, crashing: Callable[[str], Firmware]) -> Iterator[WireClient]:
    board = load_board(request.param)
    if board.simulator == "unicorn":
        simulator = Simulator(crashing(board.name).elf, board)
        simulator.run()
        simulator.read(WIRE)
        link = SimulatorLink(simulator)
        client = WireClient(link, who="the board", timeout=20, why_gone=link.why_gone)
        client.hello()
        yield client
        return
    need(emulators.processor_of(board).program)
    firmware = crashing(board.name)
    emulator = emulators.Emulator(firmware, board)
    yield emulators.connect(emulator, firmware, "the board", 20)
    emulator.close()


def test_a_network_that_crashes_is_told_with_its_function(client: WireClient) -> None:
    client.run([memoryview(HARMLESS)], 1)
    with pytest.raises(TargetError, match=r"the board went away: its firmware crashed. (HardFault|Trap).* in layer_0"):
        client.run([memoryview(FATAL)], 1)
    with pytest.raises(TargetError):
        client.run([memoryview(HARMLESS)], 1)


def test_a_restart_that_was_asked_for_is_told_as_one(client: WireClient) -> None:
    client.request(Kind.RESET)
    with pytest.raises(TargetError, match="it restarted"):
        client.run([memoryview(HARMLESS)], 1)


@pytest.mark.slow
@pytest.mark.parametrize(("silence_ms", "waits"), [(5, False), (qemu.SILENCE_MS, True)])
def test_a_host_that_stands_still_in_the_midst_of_a_message_is_waited_for(
    silence_ms: int, waits: bool, write_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board's clock goes on while a busy machine does not come to send the rest."""
    need("qemu-system-arm")
    monkeypatch.setattr(qemu, "SILENCE_MS", silence_ms)
    target = target_for("qemu:mps3-an547", {})
    assert isinstance(target, qemu.Qemu)
    firmware = build_firmware(target.board, write_network(), None)
    emulator = emulators.Emulator(firmware, target.board)
    client = emulators.connect(emulator, firmware, "the board", 60)
    send = client.link.send

    def send_halting(buffers: Sequence[Any]) -> None:
        data = b"".join(bytes(buffer) for buffer in buffers)
        send([data[:-4]])
        # Until the board complains, or for a second where it does not.
        select.select([emulator.wire], [], [], 1.0 if waits else 60.0)
        send([data[-4:]])

    monkeypatch.setattr(client.link, "send", send_halting)
    try:
        if waits:
            assert client.run([memoryview(HARMLESS)], 1).count == 1
        else:
            with pytest.raises(WireError, match="Message cut short"):
                client.run([memoryview(HARMLESS)], 1)
    finally:
        client.close()
        emulator.close()
