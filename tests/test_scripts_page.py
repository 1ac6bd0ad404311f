"""docs/scripts.md: codes, documents and completion are those that scripts meet."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from tests.results.conftest import make_measured, write_run

from edgerig.cli import main
from edgerig.errors import EdgerigError, Interrupted, UsageError

__all__ = ["write_run"]

PAGE = (Path(__file__).parent.parent / "docs" / "scripts.md").read_text()


def test_the_page_has_the_codes_of_the_errors() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.M)}
    assert codes >= {0, EdgerigError.exit_code, UsageError.exit_code, Interrupted.exit_code}
    assert codes == {0, 1, 2, 70, 130, 141}


def test_the_program_of_the_page_reads_what_a_run_prints(write_run, tmp_path: Path, monkeypatch) -> None:
    bundle = write_run("run", make_measured([1e-4] * 3))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "result.json").write_bytes((bundle / "results.json").read_bytes())
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "scripts.md", "exec"), {})
    assert re.fullmatch(r"int8-litert-local [0-9.e-]+ s measured\n", printed.getvalue())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_and_options_are_completed(shell: str, monkeypatch, capfd) -> None:
    assert f"_EDGERIG_COMPLETE={shell}_source" in PAGE
    for name, value in {
        "_EDGERIG_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "edgerig ben",
        "COMP_CWORD": "ben" if shell == "fish" else "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main([])
    assert "bench" in capfd.readouterr().out
