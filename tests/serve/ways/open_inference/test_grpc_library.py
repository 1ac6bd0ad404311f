"""How gRPC is imported: its threads pass a request on as seldom as can be."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from edgerig.serve.ways.open_inference.grpc_library import READING, VARIABLE

REQUESTS = 100


def switches(pid: int) -> int:
    """How often the threads of gRPC's event engine have gone to sleep."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("event_engine"):
            count += int(re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[0])
    return count


@pytest.fixture
def served(float_net: Path) -> Iterator[tuple[int, str]]:
    """A server of its own process, and where it listens for gRPC."""
    words = [sys.executable, "-m", "edgerig", "serve", str(float_net), "--listen", "127.0.0.1:0", "--sessions", "1"]
    process = subprocess.Popen([*words, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        yield process.pid, re.findall(r"listening on (127\.0\.0\.1:\d+) \(oip-grpc\)", "".join(lines))[0]
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
def test_requests_wake_no_thread_of_the_event_engine(served: tuple[int, str]) -> None:
    pid, address = served
    x = np.ones((1, 8), np.float32)
    tensor = triton.InferInput("x", [1, 8], "FP32")
    tensor.set_data_from_numpy(x)
    with triton.InferenceServerClient(address) as client:
        client.infer("float_net", [tensor])
        before = switches(pid)
        for _ in range(REQUESTS):
            client.infer("float_net", [tensor])
        # Else one or two of them for each request.
        assert switches(pid) - before < REQUESTS / 2


@pytest.mark.parametrize("own", [None, "-event_engine_dns"])
def test_the_variable_is_left_as_it_was(own: str | None) -> None:
    program = (
        "import os; from edgerig.serve.ways.open_inference.grpc_library import import_grpc, VARIABLE; import_grpc(); "
        "import sys; print('grpc' in sys.modules, os.environ.get(VARIABLE))"
    )
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {} if own is None else {VARIABLE: own}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", str(own)]
    assert READING not in done.stderr
