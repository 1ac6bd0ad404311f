"""Making and removing the environments of engines: an environment is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edgerig import files
from edgerig.environments import catalogue
from edgerig.environments.catalogue import MANIFEST, Engine, Manifest
from edgerig.environments.interpreter import Interpreter, check_interpreter, executable_of, probe
from edgerig.environments.pip import failure_of, importing, run_pip, run_quietly
from edgerig.environments.requirements import named_requirement, numbers, requirements_for
from edgerig.errors import EngineError, StorageError, storing
from edgerig.installed import version
from edgerig.progress import Progress

#: What edgerig's own part needs in each environment.
_OWN_MODULES = ("numpy", "msgspec")
#: First version of pip that installs into an environment other than its own.
_PIP_ELSEWHERE = (22, 3)
#: Free space that is left beside an environment, as a multiple of its size: pip unpacks before it moves.
_SPARE = 1.5


def install(name: str, progress: Progress | None = None, python: str | None = None) -> Interpreter:
    """Make the environment of the engine ``name``; one that exists is replaced once the new one works.

    Args:
        python: The interpreter to make it with; edgerig's own if None.

    Raises:
        UnknownNameError: There is no such engine. UsageError: ``python`` is no interpreter.
        EngineError: ``python`` is too old; pip failed, in its own words, or what it installed cannot be imported.
        StorageError: The cache cannot be written, or the disk is too full.
    """
    engine = catalogue.engine_named(name)
    progress = progress or Progress()
    final = catalogue.folder_of(name)
    base = executable_of(python) if python is not None else Path(sys.executable)
    if python is not None:
        check_interpreter(base)
    with _locked(name), storing(final):
        _drop_unfinished(name)
        _check_space(engine, final.parent)
        work = final.parent / f".{name}.{secrets.token_hex(4)}.tmp"
        try:
            with progress.task(f"install {engine.title}", None) as task:
                begin = time.monotonic()
                task.advance(0, "makes an environment")
                pip = _environment(base, work)
                for arguments in _installations(engine):
                    lines = run_pip([*pip, *arguments], lambda note: task.advance(1, note))
                    if lines.failed:
                        raise failure_of(engine, lines.text)
                task.advance(1, "imports it")
                interpreter = probe(str(work))
                _check_import(engine, interpreter)
                manifest = Manifest(
                    engine=name,
                    requirements=engine.requirements,
                    bytes=_size(work),
                    seconds=round(time.monotonic() - begin, 1),
                    made=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                files.write_json(work / MANIFEST, manifest)
            _replace(work, final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return probe(str(final))


def remove(name: str) -> int:
    """Remove the environment of the engine ``name``; returns the bytes that it took, 0 if there was none.

    Raises:
        UnknownNameError: There is no such engine. StorageError: It cannot be removed.
    """
    catalogue.engine_named(name)
    folder = catalogue.folder_of(name)
    if not folder.parent.is_dir():
        return 0
    with _locked(name), storing(folder):
        _drop_unfinished(name)
        if not folder.is_dir():
            return 0
        size = _size(folder)
        aside = folder.parent / f".{name}.{secrets.token_hex(4)}.tmp"
        folder.rename(aside)
        shutil.rmtree(aside)
    return size


def check(name: str) -> Interpreter:
    """The interpreter of an engine's environment, after the engine was imported in it.

    Raises:
        UnknownNameError: There is no such engine. EngineError: There is no environment of it, or it does not work.
    """
    engine = catalogue.engine_named(name)
    interpreter = catalogue.environment_of(name, (engine.module,))
    if interpreter is None:
        raise EngineError(f"There is no environment of {engine.title}.", f"edgerig engines install {name}")
    _check_import(engine, interpreter)
    return interpreter


def _environment(base: Path, work: Path) -> list[str]:
    """Make an environment in ``work``; the command of the pip that installs into it."""
    elsewhere = importlib.util.find_spec("pip") is not None and installs_elsewhere(version("pip"))
    options = ["--without-pip"] if elsewhere else []
    done = run_quietly([str(base), "-m", "venv", *options, str(work)])
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-300:]
        raise EngineError(f"{base} could not make an environment: {words}", "On Debian: apt-get install python3-venv")
    inside = str(work / "bin" / "python")
    return [sys.executable, "-m", "pip", "--python", inside] if elsewhere else [inside, "-m", "pip"]


def installs_elsewhere(pip: str | None) -> bool:
    """Whether a version of pip installs into an environment other than its own; None is none.

    >>> installs_elsewhere("25.0rc1"), installs_elsewhere("22.10"), installs_elsewhere("9.0.1")
    (True, True, False)
    """
    return numbers(pip or "") >= _PIP_ELSEWHERE


def _installations(engine: Engine) -> list[list[str]]:
    """Arguments of pip, for each of its calls."""
    own = requirements_for(None, _OWN_MODULES)
    named = {named_requirement(text)[0] for text in engine.requirements}
    own = tuple(text for text in own if named_requirement(text)[0] not in named)
    command = ["install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"]
    whole = tuple(text for text in engine.requirements if text not in engine.alone)
    calls = [[*command, *whole, *own]]
    return [*calls, [*command, "--no-deps", *engine.alone]] if engine.alone else calls


def _check_import(engine: Engine, interpreter: Interpreter) -> None:
    reason = importing(interpreter, engine.module)
    if reason is not None:
        raise EngineError(
            f"{engine.title} is installed and cannot be imported: {reason}.",
            "Is its wheel made for this processor and this system? "
            f"By hand: {interpreter.executable} -c 'import {engine.module}'",
        )


def _check_space(engine: Engine, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < engine.disk * 1e6 * _SPARE:
        raise StorageError(
            f"The environment of {engine.title} takes {engine.disk} MB, and as much again for a moment; "
            f"{free / 1e6:.0f} MB are free in {folder}.",
            "Make room, or put the cache elsewhere: EDGERIG_CACHE=FOLDER",
        )


def _replace(work: Path, final: Path) -> None:
    """Put a finished environment in its place."""
    aside = final.parent / f"{work.name}.old.tmp"
    if final.exists():
        final.rename(aside)
    work.rename(final)
    shutil.rmtree(aside, ignore_errors=True)


def _drop_unfinished(name: str) -> None:
    """Remove what an installation that was killed has left."""
    for item in catalogue.root().glob(f".{name}.*.tmp"):
        shutil.rmtree(item, ignore_errors=True)


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """One process at a time installs or removes an engine; others wait."""
    folder = catalogue.root()
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f".{name}.lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _size(folder: Path) -> int:
    return sum(item.lstat().st_size for item in folder.rglob("*") if item.is_symlink() or item.is_file())
