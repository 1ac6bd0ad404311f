"""Senders of video for the tests, each a process of its own: ``senders.py mjpeg|rtsp PORT``.

Frames are numbered by their brightness: frame n is grey of `shade` (n).
"""

from __future__ import annotations

import io
import itertools
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np

WIDTH, HEIGHT, SECONDS = 160, 120, 0.04


def shade(number: int) -> int:
    """The brightness of a frame."""
    return 40 + number % 160


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.full((height, width, 3), shade(number), np.uint8)


def jpeg(number: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture(number, width, height)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def serve_mjpeg(client: socket.socket) -> None:
    """An IP camera's MJPEG; from frame 25 on it is of another size."""
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=edge\r\n\r\n")
    for number in itertools.count():
        size = (WIDTH, HEIGHT) if number < 25 else (2 * WIDTH, HEIGHT)
        data = jpeg(number, *size)
        head = f"--edge\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        client.sendall(head + data + b"\r\n")
        time.sleep(SECONDS)


def units() -> Iterator[tuple[int, list[bytes]]]:
    """Frame numbers and their NAL units of H.264, encoded as they are asked for."""
    import av

    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.gop_size = 25, 10
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    for number in itertools.count():
        for packet in encoder.encode(av.VideoFrame.from_ndarray(picture(number), "rgb24")):
            whole = bytes(packet).replace(b"\0\0\0\1", b"\0\0\1")
            yield number, [unit for unit in whole.split(b"\0\0\1") if unit]


SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=live\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)


def serve_rtsp(client: socket.socket) -> None:
    """RFC 2326 as far as a player needs it: one stream, its RTP packets in the same connection."""
    reader = client.makefile("rb")
    while True:
        lines = []
        while (line := reader.readline().strip()) or not lines:
            if not line:
                return
            lines.append(line.decode())
        method, fields = lines[0].split()[0], dict(line.split(": ", 1) for line in lines[1:])
        extra, body = "Public: DESCRIBE, SETUP, PLAY\r\n", ""
        if method == "DESCRIBE":
            extra, body = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n", SDP
        elif method == "SETUP":
            extra = f"Transport: {fields['Transport']}\r\nSession: 1\r\n"
        client.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {fields['CSeq']}\r\n{extra}\r\n{body}".encode())
        if method == "PLAY":
            threading.Thread(target=send_rtp, args=[client], daemon=True).start()


def send_rtp(client: socket.socket) -> None:
    """RTP (RFC 3550, RFC 6184): a packet for each NAL unit, the last of a frame marked."""
    sequence = 0
    for number, parts in units():
        for unit in parts:
            last = 0x80 if unit is parts[-1] else 0
            head = struct.pack(">BBHII", 0x80, last | 96, sequence & 0xFFFF, number * 3600, 1)
            try:
                client.sendall(b"$" + struct.pack(">BH", 0, len(head) + len(unit)) + head + unit)
            except OSError:
                return
            sequence += 1
        time.sleep(SECONDS)


def main(kind: str, port: int) -> None:
    handler = {"mjpeg": serve_mjpeg, "rtsp": serve_rtsp}[kind]

    def guarded(client: socket.socket) -> None:
        try:
            handler(client)
        except OSError:
            client.close()

    with socket.create_server(("127.0.0.1", port)) as server:
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            threading.Thread(target=guarded, args=[client], daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
