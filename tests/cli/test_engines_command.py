"""``edgerig engines``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgerig.cli.engines_command import command
from edgerig.cli.list_command import command as list_command
from edgerig.environments.catalogue import MANIFEST, Manifest
from edgerig.errors import EngineError, UnknownNameError, UsageError
from edgerig.files import write_json


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path))


def test_the_list_tells_of_each_runtime_where_its_engine_is_and_what_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows = {row["runtime"]: row for row in json.loads(CliRunner().invoke(command, ["list", "--json"]).stdout)}
    assert rows["litert"]["where"] == "edgerig's own"
    assert rows["litert"]["version"]
    assert rows["onnxruntime"] | {"version": None} == {
        "runtime": "onnxruntime",
        "engine": None,
        "extra": "onnx",
        "formats": ["onnx"],
        "version": None,
        "where": "edgerig's own",
        "bytes": None,
        "cost": None,
        "problem": None,
    }
    text = CliRunner().invoke(command, ["list"]).stdout
    assert [line.split()[0] for line in text.splitlines()[1:]] == sorted(rows)


def test_size_and_time_are_told_before_anything_is_installed(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["install", "openvino", "--dry-run"])
    assert result.exit_code == 0
    assert "MB to download" in result.stderr
    assert "openvino<" in result.stderr
    assert str(tmp_path / "engines" / "openvino") in result.stderr
    assert not (tmp_path / "engines").exists()


def test_names_that_are_none_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    for arguments in (["install", "openvino", "nosuch"], ["remove", "nosuch"], ["check", "nosuch"]):
        result = CliRunner().invoke(command, arguments)
        assert isinstance(result.exception, UnknownNameError), arguments
    assert not (tmp_path / "engines").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("savedmodel", r"'savedmodel' is a runtime; its engine is 'tensorflow'.*Name that: tensorflow"),
        ("onnxruntime", r"'onnxruntime' has no environment of its own.*pip install.*onnx"),
        ("litert", r"'litert' has no environment of its own.*It comes with edgerig"),
    ],
)
def test_the_name_of_a_runtime_is_answered_by_what_its_engine_is(name: str, told: str) -> None:
    for arguments in (["install", name], ["remove", name], ["check", name]):
        error = CliRunner().invoke(command, arguments).exception
        assert isinstance(error, UsageError), arguments
        assert re.search(told, str(error), re.DOTALL), error


def test_what_is_no_interpreter_is_refused_in_a_dry_run_too() -> None:
    error = CliRunner().invoke(command, ["install", "tract", "--dry-run", "--python", "/bin/true"]).exception
    assert isinstance(error, UsageError)
    assert "/bin/true is no Python interpreter" in error.message


def test_what_has_no_environment_is_told_and_removing_it_is_no_fault() -> None:
    result = CliRunner().invoke(command, ["check", "openvino"])
    assert isinstance(result.exception, EngineError)
    assert result.exception.hint == "edgerig engines install openvino"
    assert CliRunner().invoke(command, ["remove", "openvino"]).stdout == "openvino: has no environment\n"
    assert CliRunner().invoke(command, ["check"]).exit_code == 0


def test_an_engine_in_an_environment_of_its_own_counts_as_installed(
    openvino_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Our own interpreter has no such package.
    monkeypatch.setitem(sys.modules, "openvino", None)
    runner = CliRunner()

    def rows() -> tuple[dict[str, Any], dict[str, Any]]:
        engines = json.loads(runner.invoke(command, ["list", "--json"]).stdout)
        (runtime,) = json.loads(runner.invoke(list_command, ["runtimes", "openvino", "--json"]).stdout)
        return next(row for row in engines if row["runtime"] == "openvino"), runtime

    engine, runtime = rows()
    assert (engine["where"], engine["version"], runtime["installed"]) == (None, None, False)
    assert "MB to download" in engine["cost"]
    assert runtime["install"].startswith("edgerig engines install openvino")
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "openvino").symlink_to(openvino_environment)
    manifest = Manifest(engine="openvino", requirements=(), bytes=5_000_000, seconds=1.0, made="2026-01-01T00:00:00Z")
    write_json(openvino_environment / MANIFEST, manifest)
    try:
        engine, runtime = rows()
        assert engine["where"] == str(tmp_path / "engines" / "openvino")
        assert engine["version"]
        assert (engine["bytes"], engine["problem"], runtime["installed"]) == (5_000_000, None, True)
    finally:
        (openvino_environment / MANIFEST).unlink()
