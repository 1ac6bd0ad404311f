import pytest

from edgerig.wire.link import Link


class Bytes(Link):
    """A link that gives given bytes in given portions, then ends; keeps what is sent."""

    def __init__(self, data: bytes, portion: int = 1 << 30) -> None:
        self.data, self.place, self.portion, self.sent = data, 0, portion, bytearray()

    def send(self, buffers):
        for part in buffers:
            self.sent += part

    def recv_into(self, view):
        part = self.data[self.place : self.place + min(len(view), self.portion)]
        if not part:
            raise ConnectionResetError("ended")
        view[: len(part)] = part
        self.place += len(part)
        return len(part)

    def set_timeout(self, seconds):
        pass

    def close(self):
        pass


@pytest.fixture(scope="session")
def bytes_link():
    """Makes a link that gives given bytes in given portions."""
    return Bytes
