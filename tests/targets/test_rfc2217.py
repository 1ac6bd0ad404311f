"""A device behind a port server: a real RFC 2217 server passes a pseudo-terminal's bytes on over TCP."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import serial
from serial.rfc2217 import PortManager

from edgerig.errors import TargetError
from edgerig.targets.resolve import target_for
from edgerig.testing.contracts.target import TargetContract, random_inputs

pytestmark = pytest.mark.slow


class Connection:
    """What pyserial's port manager writes its own answers to."""

    def __init__(self, connected: socket.socket) -> None:
        self.write = connected.sendall


class Port(serial.Serial):
    """A pseudo-terminal has no modem lines to ask for or to set."""

    cts = dsr = ri = cd = True

    def _update_rts_state(self) -> None: ...

    def _update_dtr_state(self) -> None: ...


@contextmanager
def port_server(path: Path) -> Iterator[str]:
    """The address of a server that has the port ``path``, for any number of clients one after another."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError), listener.accept()[0] as connected:
                    pass_on(path, connected, stop)

        thread = Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()


def pass_on(path: Path, connected: socket.socket, stop: Event) -> None:
    """One client's bytes to the port and back, until it hangs up."""
    connected.settimeout(0.2)
    with Port(str(path), timeout=0.01) as port:
        manager = PortManager(port, Connection(connected))
        gone = Event()

        def back() -> None:
            while not gone.is_set():
                data = port.read(4096)
                with contextlib.suppress(OSError):
                    connected.sendall(b"".join(manager.escape(data)))

        reader = Thread(target=back)
        reader.start()
        while not stop.is_set():
            try:
                data = connected.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            port.write(b"".join(manager.filter(data)))
        gone.set()
        reader.join()


class TestDeviceBehindAPortServer(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, start_device):
        with start_device() as (_, path), port_server(path) as place:
            yield target_for(f"rfc2217://{place}?baud=115200")

    @pytest.fixture(scope="class")
    def deployment(self, built_in):
        return built_in

    # What a network that is built in has of its own is tested on the port itself.
    test_device_reports_the_file_and_the_engine_that_were_asked_for = None
    test_unknown_runtime_and_unknown_setting_are_told_by_name = None
    test_file_that_is_no_network_is_refused_by_the_engine = None
    test_machine_is_the_one_that_check_saw = None


def test_payload_full_of_the_byte_that_rfc2217_escapes_arrives(start_device, built_in):
    with start_device() as (_, path), port_server(path) as place:
        target = target_for(f"rfc2217://{place}")
        with target.open(built_in.artifact, "micro", {}) as session:
            inputs = random_inputs(built_in.artifact, 8)
            inputs[0][...] = -1  # 0xFF in each byte
            outputs = session.run(inputs).outputs[0]
            assert (outputs == outputs[0]).all()


def test_port_server_that_is_not_there_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
    with pytest.raises(TargetError, match=r"127\.0\.0\.1"):
        target_for(f"rfc2217://127.0.0.1:{place[1]}").check()


def test_server_that_speaks_no_rfc2217_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TargetError) as caught:
        target_for(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}").check()
    assert caught.value.hint


def test_server_that_sends_garbage_is_told_without_a_traceback(capfd):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def garbage() -> None:
            with listener.accept()[0] as connected:
                connected.sendall(b"\xff\xfa\x2c\xff\xf0" * 20 + b"HTTP/1.1 400 Bad Request\r\n")
                connected.recv(1000)

        thread = Thread(target=garbage)
        thread.start()
        with pytest.raises(TargetError):
            target_for(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}").check()
        thread.join()
    assert "Traceback" not in capfd.readouterr().err
