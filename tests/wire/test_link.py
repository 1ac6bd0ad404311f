import socket
import threading

import pytest

from edgerig.wire.link import PairLink, TcpLink, connect_tcp


def test_large_buffers_are_sent_whole_and_in_order():
    ours, theirs = socket.socketpair()
    parts = [b"a" * 10, memoryview(b"b" * 3_000_000), b"", memoryview(b"c" * 2_000_000), b"d"]
    thread = threading.Thread(target=lambda: (PairLink(ours).send(parts), ours.close()))
    thread.start()
    got = bytearray()
    link, view = PairLink(theirs), memoryview(bytearray(100_000))
    while len(got) < 5_000_011:
        got += view[: link.recv_into(view)]
    with pytest.raises(ConnectionError):
        link.recv_into(view)
    thread.join()
    theirs.close()
    assert got == b"".join(bytes(part) for part in parts)


def test_peer_that_takes_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = PairLink(ours)
        link.set_timeout(0.1)
        with pytest.raises(TimeoutError):
            link.send([bytes(50_000_000)])


def test_tcp_link_sends_at_once_and_watches_its_peer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = connect_tcp(*listener.getsockname(), 5)
        assert isinstance(link, TcpLink)
        assert link.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert link.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        link.close()


def test_payloads_are_checked_on_tcp_and_not_within_one_kernel():
    assert TcpLink.checked
    assert not PairLink.checked
