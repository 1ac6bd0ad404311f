"""Which arena a network needs is tried in a child, which may die of one that is too small."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_micro import runtime as tflite_micro

from edgerig.errors import InferenceError
from edgerig.runtimes.tflm_arena import arena_for, attempts, reason
from edgerig.testing.networks import dense_tflite
from edgerig.testing.networks.tflite_builder import TfliteBuilder

LARGEST = 1 << 24


def transposing(tmp_path: Path) -> Path:
    """TRANSPOSE does not look whether it was given memory: in an arena of about 900 bytes TFLite Micro dies of it."""
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 2, 3), "float32"), net.tensor("y", (1, 3, 2), "float32")
    net.operator("TRANSPOSE", [x, net.tensor("p", (3,), "int32", np.array([0, 2, 1]))], [y], "TransposeOptions")
    path = tmp_path / "transposing.tflite"
    path.write_bytes(net.build([x], [y]))
    return path


def dies(path: Path, size: int) -> bool:
    """Whether TFLite Micro ends a process of its own in an arena of that size."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            tflite_micro.Interpreter.from_bytes(path.read_bytes(), arena_size=size)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0


@pytest.mark.slow
def test_a_network_that_dies_of_a_small_arena_gets_a_larger_one(tmp_path: Path) -> None:
    path = transposing(tmp_path)
    deadly = next(size for size in range(800, 1100, 16) if dies(path, size))
    found = arena_for(path, deadly, LARGEST)
    assert found in (2 * deadly, 4 * deadly)
    assert not dies(path, found)


def test_the_arena_is_doubled_in_one_child_where_the_engine_says_that_it_is_too_small(tmp_path: Path) -> None:
    path, told = dense_tflite(tmp_path / "wide.tflite", features=4000), list[dict[str, Any]]()
    attempts(path.read_bytes(), 1 << 10, LARGEST, told.append)
    tried = [line["try"] for line in told[:-1]]
    assert tried == [1 << 10 << place for place in range(len(tried))]
    assert told[-1] == {"fits": tried[-1]}
    assert tried[-1] > 4 * 4000
    assert arena_for(path, 1 << 10, LARGEST) == tried[-1]


def test_a_network_that_dies_of_the_largest_arena_is_refused(tmp_path: Path) -> None:
    path = transposing(tmp_path)
    deadly = next(size for size in range(800, 1100, 16) if dies(path, size))
    with pytest.raises(InferenceError, match=r"dies of transposing.tflite, however large its arena"):
        arena_for(path, deadly, deadly)


def test_a_lack_of_memory_is_no_excuse_for_other_faults(tmp_path: Path) -> None:
    """An operator that the engine does not have is refused at the first size, in the engine's words."""
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "float32"), net.tensor("y", (1, 4), "int32")
    net.operator("BUCKETIZE", [x], [y])
    told = list[dict[str, Any]]()
    attempts(net.build([x], [y]), 1 << 16, LARGEST, told.append)
    assert told[0] == {"try": 1 << 16}
    assert len(told) == 2
    assert "BUCKETIZE" in told[1]["refused"]


def test_a_child_that_cannot_begin_tells_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"arena of missing.tflite could not be found out: .*No such file"):
        arena_for(tmp_path / "missing.tflite", 1 << 16, LARGEST)


def test_the_reason_is_the_first_line_without_its_place_in_the_sources() -> None:
    words = "tensorflow/lite/micro/x.cc:12 Didn't find op for builtin opcode 'FOO'\nmore\n"
    assert reason(words) == "Didn't find op for builtin opcode 'FOO'"
    assert reason("\n") == ""
