"""A device on the network, where ``edgerig agent`` runs."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Annotated

import msgspec

from edgerig import child_logs, logs
from edgerig.agent.address import Address, parse_address
from edgerig.agent.worker_process import environment
from edgerig.errors import SpecError, TargetError
from edgerig.targets.remote.base import WiredTarget, weakly
from edgerig.targets.remote.lease_holder import LeaseHolder
from edgerig.targets.settings import LinkSettings
from edgerig.wire.client import WireClient
from edgerig.wire.link import connect_tcp
from edgerig.wire.ownership import load_token
from edgerig.wire.tls import connect_tls, host_context

#: Seconds that an agent gets to start, and to answer a connection.
START_SECONDS = 30.0
CONNECT_SECONDS = 10.0
#: The folder of keys for hosts that are named without settings.
TLS_VARIABLE = "EDGERIG_TLS"


class TcpSettings(LinkSettings, frozen=True, kw_only=True):
    """Settings of a device that is reached by TCP."""

    checksum: Annotated[
        bool | None,
        msgspec.Meta(description="give payloads a CRC-32 on top of TCP's own; if unset, to another machine only"),
    ] = None
    token_file: Annotated[
        str | None, msgspec.Meta(description="file with the device's token; else the variable EDGERIG_TOKEN is taken")
    ] = None
    tls: Annotated[
        str | None,
        msgspec.Meta(description="folder of keys for a host, made by `edgerig agent keys`; else EDGERIG_TLS is taken"),
    ] = None
    wait: Annotated[float, msgspec.Meta(description="seconds to wait for a device that another run has", ge=0)] = 0.0
    start: Annotated[
        bool, msgspec.Meta(description="start an agent at this loopback address for the run, if none answers there")
    ] = False


def log_lines(output: IO[bytes], process: int) -> None:
    """Log what an agent says, until it ends."""
    with output, contextlib.suppress(OSError, ValueError):
        for line in output:
            level, text = logs.parsed(line.decode(errors="replace"))
            child_logs.replay(level, "edgerig.agent", text, time.time(), process)


class Tcp(WiredTarget):
    """An agent at ``tcp://HOST:PORT``. If it is absent, that is an error: no other device is measured in its place."""

    name = "tcp"
    summary = "a device where `edgerig agent` runs: tcp://HOST:PORT"
    Settings = TcpSettings
    settings: TcpSettings
    leased = True
    parallel = True

    def __init__(self, settings: TcpSettings | None = None) -> None:
        super().__init__(settings)
        self.address = "tcp://127.0.0.1:7433"
        self._agent: subprocess.Popen[bytes] | None = None

    @classmethod
    def check_address(cls, address: str) -> None:
        if "://" not in address:
            raise SpecError(
                f"{address!r} is not an address of a device.", "Write tcp://HOST:PORT, such as tcp://raspberrypi:7433."
            )
        parsed = parse_address(address)
        if parsed.port == 0:
            raise SpecError(f"{address!r} has no port to connect to.", "Name the port that the agent listens on.")

    @property
    def description(self) -> str:
        return self.address + (" (agent started by this run)" if self._agent is not None else "")

    def close(self) -> None:
        super().close()
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.terminate()
            try:
                agent.wait(10)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()
            if agent.stdin is not None:
                agent.stdin.close()

    def connect(self) -> WireClient:
        address = parse_address(self.address)
        try:
            link = connect_tcp(address.host, address.port, CONNECT_SECONDS)
        except OSError as error:
            if self.settings.start and self._agent is None:
                self._start(address)
                return self.connect()
            raise self._absent(address, error) from error
        timeout, checksum = self.settings.timeout, self.settings.checksum
        if checksum is None:
            # Loopback traffic stays in memory, where CRC-32 would take longer than the transport itself.
            checksum = not address.loopback
        folder = self._keys(address)
        if folder is None:
            return WireClient(link, who=self.address, timeout=timeout, checked=checksum)
        try:
            secure = connect_tls(link.socket, host_context(folder), address.host, self.address)
        except OSError as error:
            link.close()
            why = "it hung up" if not isinstance(error, TimeoutError) else f"no answer for {CONNECT_SECONDS:g} s"
            raise TargetError(
                f"No secure connection to {self.address}: {why}.", "Does its agent run with --tls? Look at its output."
            ) from error
        except BaseException:
            link.close()
            raise
        return WireClient(secure, who=self.address, timeout=timeout)

    def _keys(self, address: Address) -> Path | None:
        """The folder of keys if TLS is used. The environment variable does not apply to this machine."""
        folder = self.settings.tls or (None if address.loopback else os.environ.get(TLS_VARIABLE))
        return Path(folder) if folder else None

    def make_lease_holder(self) -> LeaseHolder:
        file = self.settings.token_file
        token = load_token(Path(file) if file is not None else None)
        return LeaseHolder(weakly(self), token, file is not None, self.settings.wait)

    def _absent(self, address: Address, error: OSError) -> TargetError:
        why = error.strerror or str(error) or type(error).__name__
        return TargetError(
            f"No agent answers at {self.address}: {why}.",
            f"Start one on that device: edgerig agent --listen {address.host}:{address.port}"
            + (", or let the run do it with the target's setting `start: true`." if address.loopback else "")
            + ("" if address.loopback else " --token-file TOKEN (docs/agent.md has more ways)."),
        )

    def _start(self, address: Address) -> None:
        """Start an agent, and wait until it listens."""
        if not address.loopback:
            raise SpecError(
                f"`start: true` works on this machine only, not at {self.address}.",
                "Start the agent on the device itself, and leave `start` out.",
            )
        if self.settings.tls is not None:
            raise SpecError("`start: true` and `tls` do not go together.", "Start the agent yourself, with --tls.")
        host = f"[{address.host}]" if ":" in address.host else address.host
        words = [sys.executable, "-P", "-m", "edgerig", "agent", "--listen", f"{host}:{address.port}", "--until-eof"]
        words += ["--token-file", self.settings.token_file] if self.settings.token_file is not None else []
        # A session of its own: Ctrl-C is for the run, which then ends the agent; --until-eof if the run cannot.
        agent = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(),
        )
        self._agent = agent
        assert agent.stdout is not None
        ready, _, _ = select.select([agent.stdout], [], [], START_SECONDS)
        line = agent.stdout.readline().decode(errors="replace") if ready else ""
        if "listening on" not in line:
            words_of_it = line.strip()
            if ready:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    words_of_it += " " + agent.communicate(timeout=2)[0].decode(errors="replace").strip()
            self.close()
            raise TargetError(f"The agent for {self.address} did not start. {words_of_it}".strip())
        # Keep reading the pipe: when full, it would block the agent.
        threading.Thread(target=log_lines, args=(agent.stdout, agent.pid), daemon=True).start()
