"""That a forked process is to a test what a started one is."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests import forks
from tests.forks import Nursery

from edgerig.errors import TargetError
from edgerig.measure.kinds import Measurement
from edgerig.models.files import open_artifact
from edgerig.targets.local import Local
from edgerig.testing import faults


@pytest.fixture
def nursery():
    # Other tests of this process may have children of their own, zygotes among them.
    before = {process.pid for process in psutil.Process().children()}
    nursery = Nursery()
    nursery.install()
    nursery.active = True
    yield nursery
    nursery.close()
    left = [process for process in psutil.Process().children() if process.pid not in before]
    assert not left, "a zygote or a process that it forked is still there"


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """A module that prints what it is surrounded by, started or forked; and its environment."""
    shutil.copy(Path(__file__).parent / "surroundings.py", tmp_path)
    monkeypatch.setitem(forks.MODULES, "surroundings", ("json",))
    return {**os.environ, "PYTHONPATH": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}


def words(*more: str, options: tuple[str, ...] = ("-P",)) -> list[str]:
    return [sys.executable, *options, "-m", "surroundings", *more]


def both(nursery: Nursery, call: Any) -> tuple[Any, Any]:
    """What ``call`` gives of a process that is started, and of one that is forked."""
    nursery.active = False
    started = call()
    nursery.active = True
    call()  # The second of a kind is the first that is forked.
    before = nursery.forks
    forked = call()
    assert nursery.forks > before, "it was not forked"
    return started, forked


@pytest.mark.parametrize("options", [("-P",), ()])
def test_a_forked_process_finds_all_around_it_as_a_started_one_does(nursery, surroundings, tmp_path, options) -> None:
    reader, writer = os.pipe()
    here = tmp_path / "here"
    here.mkdir()
    # None twice, as this process has it, with one that is not there and one below the folder where it starts.
    path = [str(tmp_path / "nowhere"), "below", str(tmp_path), *filter(None, sys.path), str(tmp_path)]

    def call() -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(
            words("import sys; sys.exit(7)", "more", options=options),
            input="what was sent",
            capture_output=True,
            text=True,
            check=False,
            env={**surroundings, "EDGERIG_STATE": "other", "PYTHONPATH": os.pathsep.join(path)},
            cwd=here,
            pass_fds=(writer,),
            start_new_session=True,
        )
        return done.returncode, json.loads(done.stdout), done.stderr

    started, forked = both(nursery, call)
    os.close(reader)
    os.close(writer)
    assert started[1]["parent"] == os.getpid()
    assert started[1]["files"] == [0, 1, 2, writer]
    assert started[1]["inherited"] == [0, 1, 2, writer]
    assert started[1]["heard"] == "what was sent"
    assert {name: forked[1][name] for name in started[1]} == started[1]
    assert forked[::2] == started[::2] == (7, "and this\n")


def test_its_numbers_at_random_are_its_own(nursery, surroundings, monkeypatch) -> None:
    monkeypatch.setitem(forks.MODULES, "surroundings", ("json", "numpy", "random", "uuid", "tempfile"))
    drawn = "import random, uuid, tempfile, numpy; "
    drawn += "print(random.random(), uuid.uuid4(), next(tempfile._get_candidate_names()), numpy.random.random())"
    lines = [subprocess.check_output(words(drawn), env=surroundings, stdin=subprocess.DEVNULL) for _ in range(3)]
    drawn_by = [line.decode().splitlines()[-1].split() for line in lines]
    assert nursery.forks == 2
    assert all(len(set(values)) == 3 for values in zip(*drawn_by, strict=True))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit('in words')", 1),
        ("raise ValueError('no')", 1),
        ("import os; os.abort()", -signal.SIGABRT),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
        ("import atexit; atexit.register(lambda: print('at the end'))", 0),
        ("import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('waited for'))).start()", 0),
    ],
)
def test_it_ends_as_a_started_one_does(nursery, surroundings, code, expected) -> None:
    def call() -> tuple[int, str, str]:
        done = subprocess.run(
            words(code), capture_output=True, text=True, check=False, env=surroundings, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout.splitlines()[-1] * ("{" not in done.stdout.splitlines()[-1]), done.stderr

    started, forked = both(nursery, call)
    assert forked[:2] == started[:2] == (expected, started[1])
    # A traceback begins with frames of the zygote.
    assert forked[2].splitlines()[-1] == started[2].splitlines()[-1]
    assert started[2].splitlines()[0] == forked[2].splitlines()[0] == "and this"


def test_it_is_signalled_and_waited_for_as_any_child(nursery, surroundings) -> None:
    def call() -> Any:
        process = subprocess.Popen(words("import time; time.sleep(60)"), env=surroundings, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline()
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        assert psutil.Process(process.pid).ppid() == os.getpid()
        process.kill()
        process.stdout.close()
        return process.wait(), process.poll(), Path(f"/proc/{process.pid}").exists()

    started, forked = both(nursery, call)
    assert forked == started == (-signal.SIGKILL, -signal.SIGKILL, False)


def test_a_zygote_outlives_the_thread_that_wanted_it(nursery, surroundings) -> None:
    def call() -> None:
        subprocess.check_output(words(), env=surroundings, stdin=subprocess.DEVNULL)

    for _ in range(4):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert (nursery.forks, nursery.starts) == (3, 1)


def test_what_the_zygote_lacks_gets_a_real_start(nursery, surroundings, tmp_path) -> None:
    def call(*options: str, **changes: Any) -> str:
        command = [sys.executable, *(options or ("-P",)), "-m", "surroundings"]
        given = {"env": surroundings, "stdin": subprocess.DEVNULL, "cwd": tmp_path, **changes}
        return subprocess.check_output(command, **given).decode()

    call()
    call()
    assert (nursery.forks, nursery.starts) == (1, 1)
    assert json.loads(call(env={**surroundings, "PYTHONHASHSEED": "7"}))["environment"]["PYTHONHASHSEED"] == "7"
    assert json.loads(call("-P", "-O"))["flags"][3] == 1
    assert json.loads(call(preexec_fn=lambda: os.umask(0o11)))["umask"] == 0o11
    assert json.loads(call(umask=0o12))["umask"] == 0o12
    before = os.umask(0o13)
    assert json.loads(call())["umask"] == 0o13
    os.umask(before)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if soft else hard, hard))
    assert json.loads(call())["limits"][resource.RLIMIT_CORE][0] != soft
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert json.loads(call())["handlers"][-1] == str(signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    assert json.loads(call())["blocked"] == [signal.SIGUSR1]
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    with pytest.raises(FileNotFoundError):
        call(cwd=tmp_path / "nowhere")
    assert nursery.forks == 1
    call()
    assert nursery.forks == 2


@pytest.mark.parametrize("name", ["json.py", "sitecustomize.py", "edgerig"])
def test_a_module_that_hides_an_imported_one_is_found(nursery, surroundings, tmp_path, monkeypatch, name) -> None:
    monkeypatch.setitem(forks.MODULES, "surroundings", ("json", "edgerig"))
    other = tmp_path / "other"
    found = other / name / "__init__.py" if name == "edgerig" else other / name
    found.parent.mkdir(parents=True)
    found.write_text("print('found'); dumps = lambda answer: 'in its place'")
    told = words("import edgerig")

    def call(*path: Path) -> list[str]:
        environment = {**surroundings, "PYTHONPATH": os.pathsep.join(map(str, (*path, tmp_path)))}
        return subprocess.check_output(told, env=environment, stdin=subprocess.DEVNULL, text=True).splitlines()

    assert not any("found" in call() for _ in range(2))
    assert "found" in call(other)
    shutil.rmtree(other)
    assert "found" not in call(other)
    assert nursery.forks == 2


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="numpy starts a thread for each processor but one")
def test_a_module_that_starts_threads_is_not_forked(nursery, surroundings, monkeypatch) -> None:
    monkeypatch.setitem(forks.MODULES, "surroundings", ("numpy",))
    environment = {**surroundings, "OPENBLAS_NUM_THREADS": "2"}
    for _ in range(3):
        assert subprocess.check_output(words(), env=environment, stdin=subprocess.DEVNULL)
    assert nursery.forks == 0


def test_a_session_gives_the_same_results_and_takes_the_memory_of_one_in_a_started_process(nursery, digit_net) -> None:
    artifact = open_artifact(digit_net)
    inputs = [np.random.default_rng(0).random((20, 784), np.float32)]

    def call() -> Any:
        local = Local()
        session = local.open(artifact, "litert", {})
        outputs, memory, told = session.run(inputs).outputs, session.memory(), session.load_report.runtime_version
        session.close()
        return outputs[0], memory, told

    started, forked = both(nursery, call)
    assert np.array_equal(started[0], forked[0])
    kinds = [{name: type(q) for name, q in memory.items()} for memory in (started[1], forked[1])]
    assert kinds[0] == kinds[1]
    assert all(kind is Measurement for kind in kinds[0].values())
    for name, most in {"rss_before_load": 16e6, "network_rss": 8e6, "peak_rss": 16e6}.items():
        assert abs(started[1][name].value - forked[1][name].value) < most, name
    assert forked[2] == started[2]


@pytest.mark.parametrize(
    "options", [{"fault": "abort"}, {"fault": "exit"}, {"fault": "raise"}, {"fault": "abort", "at": "load"}]
)
def test_a_host_hears_of_the_end_of_its_session_the_same(nursery, tmp_path, options) -> None:
    artifact = faults.any_artifact(tmp_path)

    def call() -> str:
        local = Local()
        try:
            with pytest.raises(Exception, match="the") as caught:
                local.open(artifact, faults.NAME, options).run([np.zeros((4, 4), np.float32)])
            return f"{type(caught.value)}: {caught.value}"
        finally:
            local.close()

    started, forked = both(nursery, call)
    assert forked == started


def test_a_session_that_is_killed_or_falls_silent_ends_the_same(nursery, tmp_path) -> None:
    artifact = faults.any_artifact(tmp_path)

    def call() -> list[Any]:
        local = Local(Local.Settings(timeout=4))
        killed, silent = (local.open(artifact, faults.NAME, {"fault": "hang", "after": 4}) for _ in range(2))
        inputs = [np.zeros((4, 4), np.float32)]
        killed.run(inputs)
        os.kill(killed.pid, signal.SIGINT)  # As Ctrl-C in a terminal would: a session does not hear it.
        killed.machine()
        os.kill(killed.pid, signal.SIGKILL)
        heard = []
        for session in (killed, silent):
            with pytest.raises(TargetError) as caught:
                session.run([np.zeros((8, 4), np.float32)])
            heard.append(str(caught.value))
            folder = Path(f"/proc/{session.pid}")
            session.close()
            heard.append(folder.exists())
        local.close()
        return heard

    started, forked = both(nursery, call)
    assert forked == started
    assert started[1] is started[3] is False


def test_zygotes_end_with_the_process_that_has_them(tmp_path, surroundings) -> None:
    code = f"""
import os, subprocess, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from tests import forks
forks.MODULES["surroundings"] = ("json",)
nursery = forks.Nursery()
nursery.install()
nursery.active = True
for _ in range(2):
    subprocess.check_output([sys.executable, "-P", "-m", "surroundings"], stdin=subprocess.DEVNULL)
print(nursery.forks, *(each._process.pid for each in nursery._zygotes.values()), flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=False)
    forks, pid = done.stdout.split()
    assert (done.returncode, forks) == (-9, "1"), done.stderr
    psutil.wait_procs([psutil.Process(int(pid))] if psutil.pid_exists(int(pid)) else [], timeout=20)
    assert not psutil.pid_exists(int(pid))
