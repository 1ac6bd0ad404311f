"""The base class of targets whose firmware this machine builds, with the network inside."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec

from edgerig.artifact import Artifact
from edgerig.boards.board import Board, board_names, load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings, Firmware
from edgerig.boards.network import network_of
from edgerig.boards.toolchain import find_toolchain, toolchain_installed
from edgerig.errors import (
    CompileError,
    InferenceError,
    MissingExtraError,
    ModelError,
    NotInstalledError,
    SpecError,
    UnknownNameError,
    UsageError,
)
from edgerig.measure.machine import MachineState
from edgerig.plugins import find
from edgerig.runtimes.base import Runtime, RuntimeSettings
from edgerig.settings import convert_settings
from edgerig.targets.base import Session, Target
from edgerig.targets.settings import ProtocolSetting, TimeoutSetting

RUNTIME = "micro"


class BoardSettings(BuildSettings, frozen=True, kw_only=True):
    """Settings of a board that is emulated or simulated: how its firmware is built, and how to speak to it."""

    timeout: TimeoutSetting = 120.0
    protocol: ProtocolSetting = "run"


class BoardTarget(Target):
    """A board by name, as in ``sim:stm32f746``.

    Class attributes:
        simulator: The kind of simulator, as in board.toml.
    """

    simulator: ClassVar[str]
    kind = "emulated"
    #: Instructions are counted, and the same network takes the same ones.
    exact = True
    runtime = RUNTIME
    Settings = BoardSettings
    settings: BoardSettings

    def __init__(self, settings: BoardSettings | None = None) -> None:
        super().__init__(settings)
        self._sessions: list[Session] = []

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        if not toolchain_installed():
            return MissingExtraError(cls.name, "boards", "ziglang")
        return super().missing()

    @classmethod
    def check_address(cls, address: str) -> None:
        board_of(address, cls.simulator)

    @classmethod
    def refuses(cls, address: str, runtime: type[Runtime], settings: RuntimeSettings) -> str | None:
        # What feeds an input is the network's, and the host sees to it.
        if msgspec.structs.replace(settings, state={}) == runtime.Settings():
            return None
        return (
            f"settings of runtime {runtime.name!r} mean nothing on {address}: a board has one thread, and its firmware "
            f"is built by the target's settings. Give them to the target, such as {{use: {address!r}, level: s}}, or "
            "leave them out"
        )

    @property
    def board(self) -> Board:
        """The board that the address names."""
        return board_of(self.address, self.simulator)

    def check(self) -> MachineState:
        self.require()
        board = self.board
        clock_hz = self.settings.clock_on(board)
        find_toolchain(self.settings.compiler, board.cpu)
        self._check_simulator()
        return MachineState(
            host=board.name,
            system="bare metal",
            architecture=board.architecture,
            cpu=board.title,
            cores=1,
            memory_bytes=board.memory.ram.length,
            frequency_hz=float(clock_hz),
        )

    def open(self, artifact: Artifact, runtime: str, options: dict[str, Any]) -> Session:
        if runtime != RUNTIME:
            find("runtime", runtime, Runtime)  # raises if there is no board of that name
            raise InferenceError(
                f"{self.address} runs what edgerig's own compiler made, not {runtime!r}.", f"Use runtime {RUNTIME!r}."
            )
        plugin = find("runtime", runtime, Runtime)
        settings = cast(RuntimeSettings, convert_settings(plugin.Settings, options, f"runtime {runtime!r}"))
        reason = self.refuses(self.address, plugin, settings)
        if reason is not None:
            raise UsageError(f"{reason[0].upper()}{reason[1:]}.")
        firmware = self.build(artifact)
        session = self._open(artifact, firmware)
        self._sessions.append(session)
        return session

    def build(self, artifact: Artifact, out: Path | None = None) -> Firmware:
        """The firmware with ``artifact`` inside, built or out of the cache; in ``out``, or where the cache keeps it.

        Raises:
            SpecError: The board has no such clock. UsageError: There is no C compiler.
            InferenceError: The network cannot be compiled or does not fit.
        """
        self.settings.clock_on(self.board)
        settings = msgspec.convert(
            {name: getattr(self.settings, name) for name in BuildSettings.__struct_fields__}, BuildSettings
        )
        try:
            network = network_of(artifact, self.board, settings)
            return build_firmware(self.board, network, out, settings, self.log)
        except (ModelError, CompileError) as error:
            raise InferenceError(error.message, error.hint) from error

    def close(self) -> None:
        while self._sessions:
            self._sessions.pop().close()

    def _check_simulator(self) -> None:
        """Check that the board's simulator is installed."""

    @abstractmethod
    def _open(self, artifact: Artifact, firmware: Firmware) -> Session:
        """Start the board with that firmware, and the session with it."""


def board_of(address: str, simulator: str) -> Board:
    """The board of ``sim:stm32f746`` and the like.

    Raises:
        SpecError: The address names none. UnknownNameError: There is no such board.
    """
    scheme, _, name = address.partition(":")
    name = name.removeprefix("//")
    known = board_names(simulator)
    if not name:
        raise SpecError(f"{address!r} names no board.", f"Such as {scheme}:{known[0]}." if known else None)
    if name not in known:
        raise UnknownNameError(f"board of {scheme}:", name, known)
    return load_board(name)
