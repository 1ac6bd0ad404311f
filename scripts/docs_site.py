"""What mkdocs asks for while it builds the site: the repository's pages, and a reference out of the sources.

The pages keep the places that they have in the repository, so that a link leads to the same thing in both. What they
link to and is no page, such as a script, is copied beside them.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = (
    "*.md",
    "docs/**/*.md",
    "examples/README.md",
    "examples/*/README.md",
    "firmware/README.md",
    "benchmarks/README.md",
)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
FENCES = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

#: The modules of the reference, by page: what users and plugin authors import.
API = {
    "edgerig": ("edgerig.api", "edgerig.engine.api", "edgerig.progress", "edgerig.errors"),
    "artifacts": ("edgerig.artifact", "edgerig.tensors", "edgerig.models.files"),
    "formats": tuple(f"edgerig.formats.{name}" for name in ("base", "registry", "payload")),
    "plugins": ("edgerig.plugins", "edgerig.settings"),
    "datasets": tuple(f"edgerig.datasets.{name}" for name in ("base", "samples", "preprocess", "sources.cache")),
    "metrics": tuple(f"edgerig.tasks.metrics.{name}" for name in ("functions", "objects", "chance")),
    "models": ("edgerig.models.base", "edgerig.models.keras.base"),
    "compilers": ("edgerig.compilers.base", "edgerig.compilers.chains"),
    "runtimes": ("edgerig.runtimes.base",),
    "targets": ("edgerig.targets.base", "edgerig.targets.resolve", "edgerig.targets.remote.base"),
    "wire": ("edgerig.wire.protocol", "edgerig.wire.link", "edgerig.wire.client"),
    "measuring": tuple(
        f"edgerig.measure.{name}"
        for name in ("kinds", "stats", "intervals", "comparison", "shares", "machine", "clocks", "profile", "firmware")
    ),
    "power": ("edgerig.power.base", "edgerig.power.recording"),
    "results": ("edgerig.results.types", "edgerig.results.bundle", "edgerig.report"),
    "contracts": tuple(
        f"edgerig.testing.contracts.{noun}"
        for noun in ("dataset", "model", "format", "compiler", "runtime", "target", "power_monitor")
    ),
}


def pages() -> list[Path]:
    """The repository's pages, from its root."""
    return sorted({path.relative_to(ROOT) for pattern in PATTERNS for path in ROOT.glob(pattern)})


def generated() -> dict[str, str]:
    """The pages that are made out of the sources, by place."""
    made = {f"reference/api/{name}.md": _api_page(name, modules) for name, modules in API.items()}
    made["reference/cli.md"] = cli_page()
    made["reference/glossary.md"] = "# Glossary\n" + _section("docs/architecture.md", "## Glossary")
    return made


def attached() -> set[Path]:
    """What pages link to and is no page, from the repository's root."""
    found = set()
    for page in pages():
        for link in LINK.findall(FENCES.sub("", (ROOT / page).read_text())):
            target = (ROOT / page.parent / link).resolve()
            if target.is_file() and target.suffix != ".md":
                found.add(target.relative_to(ROOT))
    return found


def _api_page(name: str, modules: tuple[str, ...]) -> str:
    return f"# {name.capitalize() if name != 'edgerig' else name}\n\n" + "\n".join(f"::: {one}\n" for one in modules)


def _section(page: str, heading: str) -> str:
    return (ROOT / page).read_text().partition(f"{heading}\n")[2].partition("\n## ")[0]


def cli_page() -> str:
    """The command line, out of its own declarations."""
    from edgerig.cli import cli

    return "# Command line\n\nThe same that `edgerig COMMAND --help` shows.\n" + _command(cli, "edgerig", 2)


def _command(command: click.Command, name: str, level: int) -> str:
    import click

    context = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
    parts = [f"\n{'#' * level} {name}\n", _help(command.help or "")]
    usage = command.collect_usage_pieces(context)
    parts.append(f"\n```\n{' '.join([name, *usage])}\n```\n")
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    rows = [record for option in options if (record := option.get_help_record(context))]
    if rows:
        parts.append("\n| option | |\n|---|---|\n")
        parts += [f"| `{option}` | {_cell(text)} |\n" for option, text in rows]
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            parts.append(_command(found, f"{name} {sub}", level + 1 if level == 2 and name != "edgerig" else level))
    return "".join(parts)


def _help(text: str) -> str:
    r"""A help text as Markdown: paragraphs behind click's ``\b`` keep their lines."""
    blocks = []
    for block in inspect.cleandoc(text).split("\n\n"):
        if block.startswith("\b\n"):
            head, _, rest = block.removeprefix("\b\n").partition("\n")
            blocks.append(f"{head}\n\n```\n{inspect.cleandoc(rest)}\n```")
        else:
            blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"([|\[\]])", r"\\\1", " ".join(text.split())).replace("<", "&lt;")


# ---- what mkdocs calls


def on_config(config: MkDocsConfig) -> None:
    """Spread the folders in the navigation."""
    sys.path.insert(0, str(ROOT / "src"))
    assert config.nav is not None
    config.nav = spread(config.nav)


def spread(nav: list[Any], places: list[str] | None = None, named: set[str] | None = None) -> list[Any]:
    """The navigation with pages in place of what stands for several of them.

    Args:
        nav: As in ``mkdocs.yml``, or a part of it.
        places: All pages; those of the site by default.
        named: Those that the navigation names.
    """
    places = [page.as_posix() for page in pages()] + list(generated()) if places is None else places
    named = set(_named(nav)) if named is None else named
    result: list[Any] = []
    for entry in nav:
        title, value = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if isinstance(value, list):
            value = spread(value, places, named)
        elif value.endswith("/*"):
            folder = re.escape(value.removesuffix("*"))
            result += [place for place in places if re.fullmatch(f"{folder}[^/]+", place) and place not in named]
            continue
        elif value.endswith("/"):
            inside = [place for place in places if place.startswith(value)]
            value = sorted(inside, key=lambda place: (not place.endswith("index.md"), place))
        result.append({title: value} if title is not None else value)
    return result


def _named(nav: list[Any]) -> list[str]:
    values = [next(iter(entry.values())) if isinstance(entry, dict) else entry for entry in nav]
    return [name for value in values for name in (_named(value) if isinstance(value, list) else [value])]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give the repository's pages in their places, and the generated ones."""
    from mkdocs.structure.files import File, Files

    # The theme's own files come from elsewhere than the folder of the documents.
    kept = [file for file in files if file.src_dir != config.docs_dir]
    assets = [path.relative_to(ROOT) for path in sorted((ROOT / "docs" / "site").iterdir())]
    for path in [*pages(), *sorted(attached()), *assets]:
        kept.append(File.generated(config, path.as_posix(), abs_src_path=str(ROOT / path)))
    kept += [File.generated(config, place, content=text) for place, text in generated().items()]
    return Files(kept)
