"""pip as a child process: what it says as progress, and what its failure means."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence

import msgspec

from edgerig.environments.catalogue import Engine
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import EngineError

#: Seconds that an engine may take to be imported.
IMPORT_TIMEOUT = 120.0
#: Last lines of pip's output that are kept.
_LAST_LINES = 200
_STEPS = re.compile(r"^\s*(Collecting|Downloading|Installing collected packages|Using cached|Building wheel)\b.*")
_NO_NETWORK = re.compile(
    r"NewConnectionError|Failed to establish|ConnectTimeout|ReadTimeout|Temporary failure in name|Max retries exceeded|"
    r"connection broken|Could not fetch URL|ProxyError|SSLError"
)


class Output(msgspec.Struct, frozen=True):
    """What pip has said, and whether it failed."""

    text: str
    failed: bool


def run_pip(command: Sequence[str], note: Callable[[str], object]) -> Output:
    """Run pip; ``note`` is called with each of its steps. It ends with this block, whatever ends it."""
    lines: list[str] = []
    with _child(command) as process:
        assert process.stdout is not None, "its output is a pipe"
        for line in process.stdout:
            lines = [*lines[1 - _LAST_LINES :], line.rstrip()]
            if _STEPS.match(line):
                note(_short(line))
        return Output("\n".join(lines), process.wait() != 0)


def run_quietly(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its process does not survive an interruption."""
    with _child(command) as process:
        output, _ = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output, "")


@contextlib.contextmanager
def _child(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    # A session of its own: Ctrl-C is for this process, which ends that one and all that it started.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def importing(interpreter: Interpreter, module: str) -> str | None:
    """Why ``module`` cannot be imported by ``interpreter``, in its own words; None if it can."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    command = [interpreter.executable, "-P", "-c", f"import {module}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, timeout=IMPORT_TIMEOUT,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"importing it took more than {IMPORT_TIMEOUT:g} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    words = lines[-1][:300] if lines else "it said nothing"
    return words if done.returncode > 0 else f"it died of {signal.Signals(-done.returncode).name} ({words})"


def failure_of(engine: Engine, output: str) -> EngineError:
    """What went wrong, from pip's last lines."""
    if _NO_NETWORK.search(output):
        return EngineError(
            f"{engine.title} could not be installed: pip cannot reach its package index.",
            "Is there a network? Behind a proxy: HTTPS_PROXY=URL. From wheels that were fetched elsewhere: "
            "PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER",
        )
    errors = [line.partition("ERROR:")[2].strip() for line in output.splitlines() if "ERROR:" in line]
    if "No matching distribution" in output:
        return EngineError(
            f"{engine.title} could not be installed: {errors[0] if errors else 'there is no matching distribution'}",
            "There may be no wheel for this version of Python or this processor: try another interpreter, "
            f"edgerig engines install {engine.name} --python python3.12",
        )
    words = " ".join(errors) or " ".join(output.splitlines()[-3:]) or "it said nothing"
    return EngineError(f"{engine.title} could not be installed, pip says: {words[:600]}")


def _short(line: str) -> str:
    """A step of pip's without paths and addresses.

    >>> _short("  Downloading openvino-2026.4.1-cp311-cp311-manylinux_2_28_x86_64.whl (53.1 MB)")
    'Downloading openvino (53.1 MB)'
    """
    words = line.split()
    if words[0] == "Installing":
        return "unpacks"
    name = re.split(r"[-<>=!~;\[(]", words[1].rpartition("/")[2])[0] if len(words) > 1 else ""
    size = re.search(r"\([\d.]+ [kMG]?B\)", line)
    return f"{words[0]} {name}{f' {size.group()}' if size else ''}"
