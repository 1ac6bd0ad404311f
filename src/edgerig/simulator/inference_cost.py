"""What one inference of a built firmware costs: instructions, cycles, stack; on the simulated board, without a host."""

from __future__ import annotations

import msgspec

from edgerig.boards.board import Board
from edgerig.boards.firmware import Firmware
from edgerig.boards.sizes import allocators
from edgerig.errors import EdgerigError
from edgerig.measure.kinds import Measurement, ModelBand, Quantity, Unavailable
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.simulator import Simulator

#: Seconds of this machine that the board's start, and the inference, may take each.
PATIENCE = 120.0
#: The network's function, and the firmware's that reads how much of its painted stack was written.
RUN, STACK_PEAK = "model_run", "processor_stack_peak"


class InferenceCost(msgspec.Struct, frozen=True, kw_only=True):
    """One inference.

    Attributes:
        macs: Multiply-accumulates, padding counted as data; 0 where they are not known.
        instructions, cycles: Of the network's function; ``clock_hz`` is the processor's clock.
        stack: Bytes of stack used at most since the start, in the inference and around it.
        allocators: Functions in the image that allocate memory: where there is none, there is no heap.
    """

    macs: int
    instructions: Quantity
    cycles: Quantity
    clock_hz: int
    stack: Quantity
    allocators: tuple[str, ...]


def inference_cost(firmware: Firmware, board: Board | None) -> InferenceCost:
    """Run one inference of zeros in ``firmware``; what could not be had is there with its reason.

    Args:
        board: What it was built for; None if its description is not at hand.
    """
    try:
        instructions, cycles, stack = _counted(firmware, board)
    except (EdgerigError, TimeoutError) as error:
        why = Unavailable(str(error) or "the simulated board does not answer")
        instructions, cycles, stack = why, why, why
    return InferenceCost(
        macs=firmware.macs,
        instructions=instructions,
        cycles=cycles,
        clock_hz=firmware.clock_hz,
        stack=stack,
        allocators=allocators(firmware.elf),
    )


def _counted(firmware: Firmware, board: Board | None) -> tuple[Quantity, Quantity, Quantity]:
    if board is None:
        why = Unavailable(f"the description of the board {firmware.board} is not at hand: give its folder by --board")
        return why, why, why
    if board.simulator != "unicorn":
        why = Unavailable(
            f"edgerig does not simulate {board.title}: edgerig bench NET.tflite --target qemu:{board.name} counts"
            if board.simulator
            else f"edgerig does not simulate {board.title}: a bench on the board itself tells its time"
        )
        return why, why, why
    simulator = Simulator(firmware.elf, board)
    simulator.run(PATIENCE)
    simulator.watch([simulator.symbols[RUN]])
    simulator.call(RUN, seconds=PATIENCE)
    (call,) = simulator.take_calls()
    method = "one inference of zeros"
    instructions = Measurement(
        value=float(call.instructions), unit="instructions", kind="emulated", method=f"{method}, counted by unicorn"
    )
    cycles: Quantity = Unavailable(f"no cycle model was ever held against a real {board.title}")
    if board.cycles is not None:
        model = cycle_model(board.cycles.core)
        cycles = ModelBand(model.low, model.high, str(model)).of(
            Measurement(
                value=float(model.cycles(call.cycles)),
                unit="cycles",
                kind="modelled",
                method=f"{method}, without the branch that returns, {model}",
            )
        )
    stack: Quantity = Unavailable("this firmware does not tell how much of its stack was used")
    if STACK_PEAK in simulator.symbols:
        used = float(simulator.call(STACK_PEAK))
        stack = Measurement(value=used, unit="B", kind="emulated", method=f"painted at the start; {method}")
    return instructions, cycles, stack
