import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import pytest_rerunfailures
from tests.environments_made import AGENT, LITERT, made_environment
from tests.forks import Nursery
from tests.heard import Heard
from tests.needs import need_module
from tests.xla import QUICK_TO_COMPILE

from edgerig.testing import networks


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tests neither find nor leave anything in the user's own cache; those that run beside one another share one.

    What JAX compiles is shared as well, by all tests and the processes that they start: most train the same few
    networks, and compiling one takes longer than training it. For the same reason it is compiled without
    optimization, save where much is trained (`tests/xla.py`).
    """
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERIG_CACHE", str(folder))
        patch.setenv("EDGERIG_STATE", str(folder / "state"))
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
        patch.setenv("XLA_FLAGS", QUICK_TO_COMPILE)
        # Thousands of processes would start a thread of numpy's BLAS for each core, and multiply nothing with them.
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        for bound in ("MIN_COMPILE_TIME_SECS", "MIN_ENTRY_SIZE_BYTES"):
            patch.setenv(f"JAX_PERSISTENT_CACHE_{bound}", "0")
        assert "jax" not in sys.modules, "a test module imports jax at its top: it would not hear of the cache"
        yield folder


@pytest.fixture
def heard() -> Heard:
    """Progress whose ``lines`` are what was logged."""
    return Heard()


@pytest.fixture(scope="session")
def digit_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer from 784 pixels to 10 classes; its weights are `networks.dense_weights(784, 10)`."""
    return networks.dense_tflite(tmp_path_factory.mktemp("net") / "digits.tflite", 784, 10)


@pytest.fixture(scope="session")
def delegate_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delegate of LiteRT that takes every ADD of two float32 tensors; its options are told in `delegate.c`."""
    library = tmp_path_factory.mktemp("delegate") / "libtest_delegate.so"
    source = Path(__file__).parent / "runtimes" / "delegate.c"
    ziglang = [sys.executable, "-m", "ziglang", "cc"]
    subprocess.run([*ziglang, "-shared", "-fPIC", "-O1", str(source), "-o", str(library)], check=True)
    return library


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of Python with what edgerig's part of a measurement needs, and no engine."""
    return made_environment(tmp_path_factory.mktemp("environments") / "bare", AGENT)


@pytest.fixture(scope="session")
def litert_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of Python with LiteRT as its only engine."""
    return made_environment(tmp_path_factory.mktemp("environments") / "litert", (*AGENT, *LITERT))


@pytest.fixture(scope="session")
def openvino_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of Python with OpenVINO as its only engine."""
    need_module("openvino", "openvino")
    packages = (*AGENT, "openvino", "openvino-telemetry")
    return made_environment(tmp_path_factory.mktemp("environments") / "openvino", packages)


# The first example of a process may import SciPy, and a crowded machine takes its time: neither is a failure.
# Every run has the same examples, so that a change is refused for what it does alone; others are found by those who
# look for them: --hypothesis-profile random.
hypothesis.settings.register_profile("edgerig", deadline=None, derandomize=True)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile("edgerig")

#: What starts processes as copies of others, where a test allows it.
nursery = Nursery()

# The suite starts thousands of processes: were what is compiled not written, each would compile edgerig anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Processes that the tests start hear Ctrl-C, also where a shell started the tests in its background.

    Such a shell lets SIGINT be ignored, and what is ignored stays so in every child.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _count_failures_here(config)
    nursery.install()
    config.add_cleanup(nursery.close)


def _count_failures_here(config: pytest.Config) -> None:
    """Let a worker of pytest-xdist count for itself how often a test failed.

    pytest-rerunfailures asks the main process before every test, byte by byte and over a socket that Nagle's algorithm
    holds back for 40 ms: in a long suite that is minutes. Only a test that ends its worker would be told apart by it,
    and such a test is to fail at once.
    """
    asked = getattr(config, "failures_db", None)
    if isinstance(asked, pytest_rerunfailures.ClientStatusDB):
        asked.sock.close()
        config.failures_db = pytest_rerunfailures.StatusDB()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    nursery.serve(item)
    return (yield)


def pytest_collection() -> None:
    """Thousands of collected tests stay to the end: the garbage collector need not look at them again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    # By default it looks after each 700 new objects, at all that engines import among them: a tenth of the time.
    gc.set_threshold(5_000, 10, 10)
    gc.enable()
