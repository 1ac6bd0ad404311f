"""Digits: train, convert, draw, ask host, server and board. Run it: ``python examples/digits/tutorial.py [FOLDER]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugins import make
from edgerig.serve import Server, drawing, drawing_files
from edgerig.serve.digit_asker import DigitAsker
from edgerig.serve.ways.digits import Digits
from edgerig.serve.widget import DigitPad
from edgerig.targets.digits_devices import open_digits
from edgerig.wire.digits import FbComm

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/digits")
recorded = json.loads(Path(__file__).with_name("strokes.json").read_text())

# 1. Train: a small convolutional network on the 9,000 digits that come with edgerig, for two epochs.
dataset = make("dataset", "mnist", Dataset)
dataset.prepare()
network = make("model", "mnist-cnn", ModelWrapper)
model = network.train(dataset, TrainSettings(epochs=2), folder / "train")
print(f"trained on {len(dataset.split('train')):,} digits")

# 2. Convert: to float TFLite, and from there to int8 with calibration on training digits.
tflite = make("compiler", "float32", ModelCompiler).compile(model, folder / "build")
int8 = make("compiler", "int8", ModelCompiler).compile(tflite, folder / "build", dataset)
for artifact in (model, tflite, int8):
    print(f"{artifact.scheme:>8} {artifact.format:>6}: {artifact.size:>9,} bytes")

# 3. Draw: here digits that were drawn before. `DigitPad()` as the last line of a cell, `edgerig digits draw` on a
# desktop, or the page of `edgerig serve` take your own. The network sees 28x28 pixels, sized and centred as MNIST's.
pad = DigitPad(strokes=recorded["7"])
for row in pad.picture[3:26]:
    print("".join(" .:*#"[value // 52] for value in row[4:24]).rstrip())

# 4. Export: as text, as PNG, and as the C header of a firmware.
folder.mkdir(parents=True, exist_ok=True)
for suffix in drawing_files.WRITERS:
    drawing_files.save(pad.picture, folder / f"seven{suffix}")
print((folder / "seven.h").read_text().splitlines()[0])

# 5. Ask the host: the int8 network in a process of this machine. With it the pad shows outputs as bars.
with DigitAsker(int8) as host:
    pad = DigitPad(host.ask, strokes=recorded["7"])
    on_host = {digit: host.ask(drawing.picture(strokes)).outputs for digit, strokes in recorded.items()}
print("the host says of the 7:", int(np.argmax(on_host["7"])))

# 6. Ask a server: the same network behind a port, asked in FlatBuffers as small devices do.
with Server(int8, listen=None, ways=[Digits("127.0.0.1:0")]) as server:
    comm = FbComm(ip="127.0.0.1", port=server.address.port)
    on_server = {digit: comm.reqInference(drawing.picture(strokes) / 255) for digit, strokes in recorded.items()}
    comm.close()
print("the server says of the 7:", on_server["7"].digit)

# 7. Ask a board: an STM32F746, simulated, with the network as C in its firmware; the same messages over its UART.
board = open_digits("sim:stm32f746", Path(int8.path), timeout=60)
with board.client as client:
    print(client.stats().mode_name)
    on_board = {digit: client.infer(drawing.picture(strokes) / 255) for digit, strokes in recorded.items()}
print(f"the board says of the 7: {on_board['7'].digit}; its time is {board.kind}")

# 8. Compare: each drawn digit on the three.
same = 0
for digit, outputs in on_host.items():
    answers = [int(np.argmax(outputs)), on_server[digit].digit, on_board[digit].digit]
    largest = max(float(np.abs(np.subtract(outputs, other[digit].outputs)).max()) for other in (on_server, on_board))
    same += answers == [answers[0]] * 3 and largest <= 1 / 64
    print(f"drawn {digit}: host {answers[0]}, server {answers[1]}, board {answers[2]}")
print(f"{same} of {len(on_host)} digits have the same answer on host, server and board")
