import os
import socket
import stat
from pathlib import Path
from threading import Thread

import pytest

from edgerig.errors import SpecError, UsageError
from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.link import PairLink
from edgerig.wire.unix import PATH_LIMIT, UnixAddress, connect_unix, listen_unix, parse_unix


@pytest.fixture
def place(tmp_path: Path) -> UnixAddress:
    return UnixAddress(str(tmp_path / "a.sock"))


@pytest.mark.parametrize(
    "text", ["unix://", "unix:///", "unix://relative/path", "/tmp/x.sock", "unix:///tmp/", "unix:///a\0b", "tcp://x:1"]
)
def test_what_is_no_absolute_path_is_no_unix_address(text):
    with pytest.raises(SpecError, match="unix socket"):
        parse_unix(text)


def test_path_may_be_as_long_as_a_socket_takes_and_not_a_byte_longer():
    longest = "/" + "ö" * ((PATH_LIMIT - 1) // 2)
    assert parse_unix("unix://" + longest).path == longest
    with pytest.raises(SpecError, match=f"may have {PATH_LIMIT} bytes"):
        parse_unix("unix://" + longest + "/x")


def test_frames_go_over_a_unix_socket(place):
    with listen_unix(place) as listener:
        link = connect_unix(place.path, 5)
        taken = PairLink(listener.accept()[0])
        sender = Thread(target=link.send, args=(encode(Kind.RUN, 3, b"h", [memoryview(b"x" * 3_000_000)]),))
        sender.start()
        assert len(FrameReader(taken).read().payload) == 3_000_000
        sender.join()
        link.close()
        taken.close()


def test_socket_is_its_owners_only_whatever_the_umask(place):
    before = os.umask(0)
    try:
        listener = listen_unix(place)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(place.path).stat().st_mode) == 0o600
    listener.close()
    assert not Path(place.path).exists()


def test_stale_socket_is_replaced(place):
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(place.path)
    dead.close()
    assert Path(place.path).exists()
    with listen_unix(place):
        connect_unix(place.path, 5).close()


def test_socket_of_a_living_listener_is_left_alone(place):
    with listen_unix(place), pytest.raises(UsageError, match="another agent does"):
        listen_unix(place)


def test_file_that_is_no_socket_is_left_alone(place):
    Path(place.path).write_text("mine")
    with pytest.raises(UsageError, match="no socket"):
        listen_unix(place)
    assert Path(place.path).read_text() == "mine"


def test_missing_folder_is_said(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        listen_unix(UnixAddress(str(tmp_path / "none" / "a.sock")))


def test_closing_leaves_a_successors_socket_alone(place):
    first = listen_unix(place)
    Path(place.path).unlink()
    with listen_unix(place):
        first.close()
        connect_unix(place.path, 5).close()
