from pathlib import Path

import jinja2
import pytest

from edgerig import files
from edgerig.report.rendering import page
from edgerig.report.rendering.compiled_templates import CompiledTemplates

TEXT = "{% for name in names %}{{ name }};{% endfor %}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def compiled(templates: Path) -> list[str]:
    """Fills the template ``a`` in an environment of its own; the names of the templates that were compiled for it."""

    class Counting(jinja2.Environment):
        def _generate(self, source: jinja2.nodes.Template, name: str | None, *rest: object, **more: object) -> str:
            names.append(str(name))
            return super()._generate(source, name, *rest, **more)  # type: ignore[arg-type]

    names: list[str] = []
    environment = Counting(loader=jinja2.FileSystemLoader(templates), bytecode_cache=CompiledTemplates())
    assert environment.get_template("a").render(names=["x", "y"]) == (templates / "a").read_text().replace(TEXT, "x;y;")
    return names


def test_a_template_is_compiled_once_and_anew_when_its_text_changes(cache: Path, tmp_path: Path) -> None:
    template = tmp_path / "a"
    template.write_text(TEXT)
    assert compiled(tmp_path) == ["a"]
    assert compiled(tmp_path) == []
    template.write_text(f"Names: {TEXT}")
    assert compiled(tmp_path) == ["a"]
    assert compiled(tmp_path) == []


@pytest.mark.parametrize("place", [0, 70, 200, -1])
def test_what_was_damaged_is_compiled_anew(cache: Path, tmp_path: Path, place: int) -> None:
    (tmp_path / "a").write_text(TEXT)
    compiled(tmp_path)
    (kept,) = [path for path in (cache / "templates").rglob("*") if path.is_file()]
    content = bytearray(kept.read_bytes())
    content[place] ^= 1
    kept.write_bytes(content)
    assert compiled(tmp_path) == ["a"]
    assert compiled(tmp_path) == []


def test_a_cache_that_cannot_be_written_costs_the_time_alone(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(TEXT)
    cache.write_text("a file where the folder would be")
    assert compiled(tmp_path) == ["a"]
    assert compiled(tmp_path) == ["a"]


def test_what_another_environment_compiled_is_not_taken(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text(TEXT)
    compiled(tmp_path)
    monkeypatch.setattr("edgerig.report.rendering.compiled_templates._how", lambda: "of another version")
    assert compiled(tmp_path) == ["a"]


def test_the_pages_use_it() -> None:
    assert isinstance(page.page_environment().bytecode_cache, CompiledTemplates)


def test_a_user_without_a_home_has_pages_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(files, "cache_folder", homeless)
    (tmp_path / "a").write_text(TEXT)
    assert compiled(tmp_path) == ["a"]
    assert compiled(tmp_path) == ["a"]
