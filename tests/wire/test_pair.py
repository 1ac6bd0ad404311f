from threading import Thread

import pytest

from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.pair import pair


def test_large_frame_crosses_a_pair_whole():
    ours, theirs = pair()
    payload = bytes(range(256)) * 20_000
    sender = Thread(target=ours.send, args=(encode(Kind.RUN, 7, b"head", [memoryview(payload)]),))
    sender.start()
    frame = FrameReader(theirs).read()
    sender.join()
    assert (frame.request, frame.header) == (7, b"head")
    assert frame.payload == payload
    ours.close()
    with pytest.raises(ConnectionError):
        FrameReader(theirs).read()
    theirs.close()
