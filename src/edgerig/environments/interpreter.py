"""Another Python interpreter on this machine: which version it is, and what is installed for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from edgerig.environments.requirements import numbers
from edgerig.errors import EngineError, UsageError

#: The oldest Python that runs edgerig, and the oldest versions of the packages that its part in that interpreter needs.
OLDEST_PYTHON = (3, 11)
NEEDED: Mapping[str, tuple[int, ...]] = {"numpy": (1, 26), "msgspec": (0, 19)}
#: Seconds in which an interpreter must have told what it is.
TIMEOUT = 60.0
#: Run by the interpreter, which may be as old as Python 2: its version, where it is, and what is installed for it.
#: The answer stands in a line of its own, whatever its start-up files print.
_QUESTION = """
import json, platform, sys
packages, missing = {}, []
try:
    from importlib import metadata, util
    for item in metadata.distributions():
        name = item.metadata["Name"]
        if name:
            packages.setdefault(name.lower().replace("_", "-").replace(".", "-"), item.version)
    for name in sys.argv[1:]:
        try:
            there = util.find_spec(name) is not None
        except (ImportError, ValueError):
            there = False
        if not there:
            missing.append(name)
except ImportError:
    pass
answer = {"version": list(sys.version_info[:3]), "kind": platform.python_implementation(), "prefix": sys.prefix}
answer.update(packages=packages, missing=missing)
sys.stdout.write("\\n" + "edgerig-answer:" + json.dumps(answer) + "\\n")
"""
_MARK = "edgerig-answer:"
#: Of the question what stands in its errors, too, if it is quoted.
_QUOTED = "import json, platform, sys"


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """A Python interpreter that can run edgerig's part of a measurement.

    Attributes:
        executable: Its path; of a virtual environment the link in its ``bin``.
        version: Such as ``3.11.7``. prefix: The folder of its environment.
        packages: The version of every package that is installed for it, by normalized name.
        missing: Those of the modules that were asked for which it cannot import.
        engine: The engine that edgerig made its environment for, if it did.
    """

    executable: str
    version: str
    prefix: str
    packages: dict[str, str]
    missing: tuple[str, ...] = ()
    engine: str | None = None

    @property
    def identity(self) -> dict[str, object]:
        """What a result that was made there depends on: versions, not paths."""
        return {"python": self.version, "packages": self.packages}

    def pip(self, *requirements: str) -> str:
        """The command that installs ``requirements`` for it."""
        return shlex.join([self.executable, "-m", "pip", "install", *requirements])


class _Answer(msgspec.Struct):
    version: tuple[int, int, int]
    kind: str
    prefix: str
    packages: dict[str, str]
    missing: tuple[str, ...]


def executable_of(python: str) -> Path:
    """The executable that a user's setting names: a folder of an environment, a file, or a program on the path.

    Raises:
        UsageError: There is none.
    """
    path = Path(python).expanduser()
    if path.is_dir():
        inside = [path / "bin" / name for name in ("python", "python3")]
        inside += [path / name for name in ("python", "python3")]
        program = next((item for item in inside if item.is_file()), None)
        if program is None:
            raise UsageError(
                f"The folder {path} is no environment of Python: it has no bin/python.",
                f"Make one: {shlex.join([sys.executable, '-m', 'venv', str(path)])}",
            )
    elif os.sep not in python and not path.exists():
        on_path = shutil.which(python)
        if on_path is None:
            raise UsageError(
                f"There is no Python interpreter {python!r}: neither a file here nor a program on the path.",
                "Name the folder of a virtual environment, or an interpreter in it: python: /path/to/venv",
            )
        program = Path(on_path)
    else:
        program = path
    if not program.is_file():
        raise UsageError(f"There is no Python interpreter {program}.", "Is the path right?")
    if not os.access(program, os.X_OK):
        raise UsageError(
            f"{program} is no Python interpreter: it cannot be executed.",
            "Name the folder of a virtual environment, or the interpreter in its bin.",
        )
    # Not resolved: an environment's interpreter is a link, and what it is called decides which environment it is.
    return program.absolute()


def probe(python: str, modules: Sequence[str] = ()) -> Interpreter:
    """The interpreter that ``python`` names, asked for what it is and whether it can import ``modules``.

    Raises:
        UsageError: It is none. EngineError: It does not answer, or cannot run edgerig's part; says what to install.
    """
    executable = executable_of(python)
    return _probe(executable, tuple(modules), _changed(executable))


def _changed(executable: Path) -> tuple[int, ...]:
    """When what is installed for an interpreter changed: what it told is asked for again then."""
    times = [executable.stat().st_mtime_ns]
    for folder in sorted(executable.parent.parent.glob("lib*/python3*/site-packages")):
        times.append(folder.stat().st_mtime_ns)
    return tuple(times)


def check_interpreter(executable: Path) -> None:
    """Check that a program is a Python that runs edgerig's part, before anything is made with it.

    Raises:
        UsageError: It is no interpreter. EngineError: It does not answer, or is too old.
    """
    _version(executable, _ask(executable, ()))


@lru_cache(maxsize=64)
def _probe(executable: Path, modules: tuple[str, ...], changed: tuple[int, ...]) -> Interpreter:
    answer = _ask(executable, modules)
    version = _version(executable, answer)
    interpreter = Interpreter(
        executable=str(executable),
        version=version,
        prefix=answer.prefix,
        packages=dict(sorted(answer.packages.items())),
        missing=answer.missing,
    )
    lacking = [
        f"{name}>={'.'.join(map(str, oldest))}"
        for name, oldest in NEEDED.items()
        if numbers(answer.packages.get(name, "0")) < oldest
    ]
    if lacking:
        versions = ", ".join(f"{name} {answer.packages.get(name, 'not at all')}" for name in NEEDED)
        raise EngineError(
            f"edgerig's part of a measurement needs {' and '.join(lacking)} in {executable}, which has {versions}.",
            interpreter.pip(*lacking),
        )
    return interpreter


def _version(executable: Path, answer: _Answer) -> str:
    version = ".".join(map(str, answer.version))
    if answer.version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise EngineError(
            f"{executable} is Python {version}, and edgerig's part of a measurement needs {oldest} or newer.",
            f"Make the environment with a newer one: {shlex.join([sys.executable, '-m', 'venv', 'FOLDER'])}",
        )
    return version


def _ask(executable: Path, modules: tuple[str, ...]) -> _Answer:
    command = [str(executable), "-c", _QUESTION, *modules]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"{executable} did not tell within {TIMEOUT:g} s which Python it is.", "Does it start by hand?"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{executable} is no Python interpreter: it cannot be started ({error.strerror}).", "Is the path right?"
        ) from error
    line = next((line for line in reversed(done.stdout.splitlines()) if line.startswith(_MARK)), None)
    try:
        return msgspec.json.decode((line or "").removeprefix(_MARK), type=_Answer)
    except msgspec.MsgspecError:
        said = done.stderr or done.stdout
        # Programs that are something else quote the question, which says nothing to the user.
        words = "" if _QUOTED in said else " ".join(said.split())[-300:]
        raise UsageError(
            f"{executable} is no Python interpreter that works: it ended with exit code {done.returncode}"
            + (f" and said: {words}" if words else "."),
            "Name the folder of a virtual environment, or the interpreter in its bin.",
        ) from None
