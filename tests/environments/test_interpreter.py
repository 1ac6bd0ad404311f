"""Other interpreters: what they are asked, and what is said of those that do not do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.environments_made import made_environment

from edgerig.environments.interpreter import executable_of, probe
from edgerig.environments.requirements import numbers
from edgerig.errors import EdgerigError, EngineError, UsageError


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_it_tells_its_version_and_what_is_installed_for_it(litert_environment: Path) -> None:
    interpreter = probe(str(litert_environment), ("ai_edge_litert", "jax", "no.such.module"))
    assert interpreter.version == ".".join(map(str, sys.version_info[:3]))
    assert Path(interpreter.prefix) == litert_environment.resolve()
    assert set(interpreter.packages) >= {"numpy", "msgspec", "ai-edge-litert"}
    assert "jax" not in interpreter.packages, "packages of this interpreter are not that one's"
    assert interpreter.missing == ("jax", "no.such.module")
    assert interpreter.identity == {"python": interpreter.version, "packages": interpreter.packages}


def test_a_folder_its_interpreter_and_a_name_on_the_path_are_one(
    litert_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = litert_environment / "bin" / "python"
    monkeypatch.setenv("PATH", f"{litert_environment / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert executable_of(str(litert_environment)) == executable_of(str(inside)) == executable_of("python") == inside
    assert inside.is_symlink(), "the link is what makes it this environment's"


def test_what_is_installed_later_is_seen(tmp_path: Path, litert_environment: Path) -> None:
    folder = made_environment(tmp_path / "env", ("numpy", "msgspec"))
    assert probe(str(folder), ("later",)).missing == ("later",)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "later.py").write_text("")
    assert probe(str(folder), ("later",)).missing == ()


def test_what_edgerigs_part_needs_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    folder = made_environment(tmp_path / "env", ("numpy",))
    with pytest.raises(EngineError, match=r"needs msgspec>=0\.19 in .*msgspec not at all") as caught:
        probe(str(folder))
    assert caught.value.hint == f"{folder / 'bin' / 'python'} -m pip install 'msgspec>=0.19'"


def test_an_old_python_is_refused_by_its_version(tmp_path: Path) -> None:
    folder = made_environment(tmp_path / "env", ("numpy", "msgspec"))
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "aged.pth").write_text("import sys; sys.version_info = (3, 8, 18, 'final', 0)\n")
    with pytest.raises(EngineError, match=r"is Python 3\.8\.18, and .* needs 3\.11 or newer"):
        probe(str(folder))


def test_what_is_no_interpreter_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "garbage").write_bytes(bytes(100))
    (tmp_path / "garbage").chmod(0o755)
    wrong = {
        str(tmp_path / "absent"): "There is no Python interpreter",
        "no-such-python-at-all": "neither a file here nor a program on the path",
        str(tmp_path / "empty"): "has no bin/python",
        str(tmp_path / "text"): "cannot be executed",
        str(tmp_path / "garbage"): "cannot be started",
        str(script(tmp_path / "says", "echo hello; echo no >&2; exit 3")): "exit code 3 and said: no",
        str(script(tmp_path / "lies", "echo 'edgerig-answer:{}'")): "is no Python interpreter that works",
        str(script(tmp_path / "dies", "kill -SEGV $$")): "exit code -11",
    }
    for python, words in wrong.items():
        with pytest.raises(UsageError, match=words) as caught:
            probe(python)
        assert caught.value.hint, python


def test_another_program_s_words_do_not_hold_the_question() -> None:
    """`ls -c` names what it was given as a file that is not there."""
    with pytest.raises(UsageError, match="no Python interpreter that works") as caught:
        probe("/bin/ls")
    assert "import" not in caught.value.message
    assert len(caught.value.message) < 120


def test_one_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerig.environments.interpreter.TIMEOUT", 0.2)
    with pytest.raises(EdgerigError, match=r"did not tell within 0\.2 s"):
        probe(str(script(tmp_path / "hangs", "exec sleep 60")))


def test_start_up_files_that_print_do_no_harm(tmp_path: Path) -> None:
    folder = made_environment(tmp_path / "env", ("numpy", "msgspec"))
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "loud.pth").write_text("import sys; sys.stdout.write('welcome')\n")
    assert probe(str(folder)).packages["numpy"]


def test_leading_numbers_of_a_version() -> None:
    assert numbers("2.4.6") == (2, 4, 6)
    assert numbers("1.26.0rc1") == (1, 26, 0)
    assert numbers("nonsense") == ()
