"""The code that a plugin's results depend on: its module, the modules it imports, and versions of installed packages.

A user's plugin is edited and run again; results of the earlier code must not be taken for those of the new one. So the
source of the plugin's module, of its package and of every module of the user's that these import is hashed when the
plugin is looked up: that is the code that was loaded. So are the files that this code names, see
`edgerig.named_files`. Installed packages are identified by version.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import struct
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgerig import __version__, files
from edgerig.computed_names import content_sums, files_below
from edgerig.errors import SpecError, nearest
from edgerig.installed import version
from edgerig.linked_folders import folders_below
from edgerig.named_files import existing, kept_names, names_in
from edgerig.text import cause_of

if TYPE_CHECKING:
    from importlib.metadata import Distribution

#: Parts of edgerig that nothing depends on which it makes.
NEVER = frozenset({"testing", "__pycache__"})
#: Parts of edgerig that do not affect any built stage.
ASIDE = NEVER | {"cli", "report", "results", "rig", "suites", "data"}
#: Suffixes of code in a user's package.
CODE = (".py", ".so", ".pyd")
#: Folders of a package without code of it.
_NO_CODE = ("__pycache__", "node_modules")
#: A file that was changed this shortly before it was compiled may have changed again within the clock's resolution.
RACY_SECONDS = 3.0


class Code(msgspec.Struct, frozen=True):
    """The sources of a plugin.

    Attributes:
        files: SHA-256 of the user's source files, by module or path below the package.
        versions: Versions of the installed packages that they import.
        named: Digests of other files, and folders, that the sources name, by that name.
    """

    files: dict[str, str]
    versions: dict[str, str]
    named: dict[str, str] = {}


class _Loaded(msgspec.Struct, frozen=True):
    """The sources of a class as loaded: their SHA-256 by path; the paths of files that they name, and the environment
    variables."""

    code: Code
    sources: dict[str, str]
    named: dict[str, Path]
    variables: tuple[str, ...]


_loaded: dict[type, _Loaded | None] = {}


def code_of(cls: type) -> Code | None:
    """The sources of ``cls`` as loaded; None where there is no source (a class that was typed into an interpreter).
    Empty for a class of edgerig's own, see `own_code`.
    """
    if cls not in _loaded:
        _loaded[cls] = _look_at(cls)
    entry = _loaded[cls]
    return entry.code if entry is not None else None


def named_files(cls: type) -> dict[str, Path]:
    """The paths of the files that the sources of ``cls`` name, by that name: such as a table that it reads."""
    code_of(cls)
    entry = _loaded[cls]
    return entry.named if entry is not None else {}


def variables_of(cls: type) -> dict[str, str | None]:
    """The environment variables that the sources of ``cls`` name, as far as they are constants, with their values now:
    None where one is not set."""
    code_of(cls)
    entry = _loaded[cls]
    return {name: os.environ.get(name) for name in entry.variables} if entry is not None else {}


def sources_of(module: str) -> tuple[Path, ...]:
    """The source files of a module of the user's, of its package, and of modules of the user's that these import;
    empty where it is installed or not there. Nothing is imported."""
    loaded = _module(module)
    return tuple(sorted(map(Path, loaded.sources))) if loaded is not None else ()


def files_of(module: str) -> tuple[Path, ...]:
    """`sources_of`, and the files that these name."""
    loaded = _module(module)
    if loaded is None:
        return ()
    named = {file for path in loaded.named.values() for file in files_below(path)}
    return tuple(sorted({*map(Path, loaded.sources), *named}))


def variables_of_module(module: str) -> dict[str, str | None]:
    """As `variables_of`, of a module of the user's."""
    loaded = _module(module)
    return {name: os.environ.get(name) for name in loaded.variables} if loaded is not None else {}


def _module(module: str) -> _Loaded | None:
    top = module.partition(".")[0]
    return _follow(top, [top]) if _origin(top) is not None else None


def folder_of(name: str) -> Path | None:
    """The folder that ``package.module:Class``, or a module, lies in; None where it is installed, edgerig's own, or not
    there."""
    top = name.partition(":")[0].partition(".")[0]
    origin = _origin(top) if top not in ("edgerig", "__main__") else None
    if origin is None or _installed(origin):
        return None
    return origin.parent.parent if origin.name.partition(".")[0] == "__init__" else origin.parent


def check_loaded(cls: type) -> None:
    """Refuse a class whose source was edited since this process loaded it: the old code would run.

    Raises:
        SpecError: The source was edited; names the file.
    """
    code_of(cls)
    entry = _loaded[cls]
    for path, digest in (entry.sources if entry is not None else {}).items():
        with contextlib.suppress(OSError):
            if files.sha256_file(Path(path)) != digest:
                raise SpecError(
                    f"{path} was edited since this process imported it, so that the code before the edit would run.",
                    "Start Python (or the notebook's kernel) anew.",
                )


def drop_racy_bytecode(module: str) -> None:
    """Make Python compile ``module`` and the modules beside it again, where it could miss that a file was edited.

    Python compares the size and the second of the last change; two edits within one second can leave both equal.
    """
    origin = _origin(module.partition(".")[0])
    if origin is None or _installed(origin):
        return
    folder = origin.parent
    for compiled in (*folder.glob("__pycache__/*.pyc"), *folder.glob("*/__pycache__/*.pyc")):
        source = compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py"
        with contextlib.suppress(OSError):
            if compiled.stat().st_mtime - source.stat().st_mtime < RACY_SECONDS and _claims(compiled, source):
                compiled.unlink()


@lru_cache(maxsize=2)
def own_code(*, whole: bool = False) -> str:
    """Digest of edgerig's own code that stages depend on. The version is not enough: in a checkout it stays the same
    through many changes.

    Args:
        whole: Also of the parts that no built stage depends on, such as those that judge results.
    """
    root = Path(__file__).parent
    aside = NEVER if whole else ASIDE
    paths = sorted(_parts_below(root, aside))
    sums = [["/".join(parts), files.sha256_file(root.joinpath(*parts))] for parts in paths]
    return files.digest([__version__, sums])


def _parts_below(root: Path, aside: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The files below a folder by the parts of their paths, but for what lies in folders ``aside``, and bytecode.

    By the plainest calls, which take a tenth of the time of `Path.rglob`: each run does this once.
    """
    for folder, inner, names in os.walk(root):
        inner[:] = (name for name in inner if name not in aside)
        start = Path(folder).relative_to(root).parts
        for name in names:
            if name not in aside and not name.endswith(".pyc") and os.path.isfile(f"{folder}{os.sep}{name}"):  # noqa: PTH113
                yield (*start, name)


def _look_at(cls: type) -> _Loaded | None:
    """Follow the imports from the modules of the class and of its bases."""
    waiting = [base.__module__.partition(".")[0] for base in cls.__mro__]
    first = cls.__module__.partition(".")[0]
    if first == "edgerig":
        return _follow(first, waiting)
    origin = _origin(first)
    if origin is None:
        return None
    with kept_names(origin):
        return _follow(first, waiting)


def _follow(first: str, waiting: list[str]) -> _Loaded:
    """The sources of the modules in ``waiting``, by their top-level names, and of what they import; of installed ones
    only those of ``first``."""
    seen = {"edgerig", *sys.stdlib_module_names} - {"__main__"}
    hashes: dict[str, str] = {}
    paths: dict[str, str] = {}
    named: dict[str, Path] = {}
    variables: set[str] = set()
    installed: set[str] = set()
    while waiting:
        top = waiting.pop()
        if top in seen:
            continue
        seen.add(top)
        origin = _origin(top)
        if origin is None:
            continue
        if _installed(origin):
            installed.add(top)
            # Also the files of the plugin's own package: its version may stay while it is developed.
            if top != first:
                continue
        for name, path in _sources(top, origin):
            data = path.read_bytes()
            hashes[name] = paths[str(path)] = files.sha256(data)
            if path.suffix == ".py":
                names = names_in(data, hashes[name])
                waiting += names.imports
                # A computed name may be that of any module of its folder that is loaded.
                waiting += _loaded_from(path.parent) if names.computed else []
                named |= existing(names, path.parent)
                variables |= names.variables
    named = {name: path for name, path in sorted(named.items()) if str(path) not in paths}
    sums = {name: digest or "" for name, digest in content_sums(named).items()}
    code = Code(dict(sorted(hashes.items())), _versions(installed), sums)
    return _Loaded(code, paths, named, tuple(sorted(variables)))


def _origin(top: str) -> Path | None:
    """The file of a top-level module, ``__init__.py`` of a package; None where there is none."""
    if top == "__main__":
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        return Path(file).resolve() if file and Path(file).is_file() else None
    module = sys.modules.get(top)
    file = getattr(module, "__file__", None)
    if file is None:
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError, AttributeError):
            return None
        file = spec.origin if spec is not None else None
        if spec is not None and spec.submodule_search_locations and file is None:
            # A package without __init__.py.
            file = str(Path(next(iter(spec.submodule_search_locations))) / "__init__.py")
            return Path(file).resolve()
    path = Path(file).resolve() if file else None
    return path if path is not None and path.is_file() else None


def _sources(top: str, origin: Path) -> Iterator[tuple[str, Path]]:
    """The files of a module or of the whole package, by a name that does not depend on its location."""
    if origin.name.partition(".")[0] != "__init__":
        yield top, origin
        return
    # A part of the package may be a link, to what several packages share.
    for folder, inner, names in folders_below(origin.parent):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in _NO_CODE]
        start = "/".join((top, *folder.relative_to(origin.parent).parts))
        for name in sorted(names):
            path = folder / name
            if path.suffix in CODE and not name.startswith(".") and path.is_file():
                yield f"{start}/{name}", path


def _loaded_from(folder: Path) -> list[str]:
    paths = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return [name.partition(".")[0] for name, path in paths.items() if path and _real_folder(path) == folder]


@lru_cache(maxsize=1 << 14)
def _real_folder(path: str) -> Path:
    """The folder of a file without symbolic links: asked for thousands of modules, once for each computed import."""
    return Path(path).parent.resolve()


def _installed(origin: Path) -> bool:
    return any(origin.is_relative_to(folder) for folder in _site_folders())


@lru_cache(maxsize=1)
def _site_folders() -> tuple[Path, ...]:
    paths = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")]
    extra = [Path(entry).resolve() for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    return tuple(dict.fromkeys([*paths, *extra]))


def _versions(tops: set[str]) -> dict[str, str]:
    if not tops:
        return {}
    owners = _distributions_of(frozenset(tops), tuple(sys.path))
    result = {}
    for name in sorted({name for top in tops for name in owners.get(top, [top])}):
        if (known := version(name)) is not None:
            result[name] = known
    return result


@lru_cache(maxsize=16)
def _distributions_of(tops: frozenset[str], path: tuple[str, ...]) -> dict[str, list[str]]:
    """The names of the distributions on ``path`` that bring the top-level modules ``tops``, by module.

    The same as `importlib.metadata.packages_distributions`, which makes a path of every file of every package: a third
    of a second in each process, where hundreds of packages are installed.
    """
    from importlib.metadata import distributions

    result: dict[str, list[str]] = {}
    for distribution in distributions(path=list(path)):
        for top in tops & set(_brought(distribution, tops)):
            result.setdefault(top, []).append(distribution.metadata["Name"])
    return result


def _brought(distribution: Distribution, tops: frozenset[str]) -> Iterator[str]:
    """Those of ``tops`` that a distribution declares (setuptools' ``top_level.txt``), or else lists as its files."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    if declared:
        yield from declared
        return
    record = distribution.read_text("RECORD")
    if record is None:
        yield from (path.parts[0] if len(path.parts) > 1 else path.stem for path in distribution.files or ())
        return
    lines = f"\n{record}"
    yield from (top for top in tops if f"\n{top}/" in lines or f"\n{top}.py," in lines)


def _claims(compiled: Path, source: Path) -> bool:
    """Whether Python would use a compiled file for the current ``source`` (PEP 552: flags, time, size)."""
    header = compiled.read_bytes()[:16]
    if len(header) < 16:
        return False
    flags, changed, size = struct.unpack("<III", header[4:16])
    stat = source.stat()
    return bool(flags == 0 and changed == int(stat.st_mtime) & 0xFFFFFFFF and size == stat.st_size & 0xFFFFFFFF)


def import_class(name: str) -> object:
    """What ``package.module:Class`` names.

    Raises:
        SpecError: It cannot be imported, or is not there.
    """
    module, _, attribute = name.partition(":")
    if module not in sys.modules:
        drop_racy_bytecode(module)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"Cannot import {name!r}: {error}.", _import_hint(module, attribute)) from error
    except Exception as error:  # any error that the user's own code raises on import
        raise SpecError(
            f"Cannot import {name!r}: {cause_of(error)}.", f"Does `python -c 'import {module}'` work?"
        ) from error


def _import_hint(module: str, attribute: str) -> str:
    if module.endswith(".py"):
        return f"Name the module without its suffix: {module.removesuffix('.py')}:{attribute}"
    here = vars(sys.modules[module]).items() if module in sys.modules else ()
    near = nearest(attribute, [key for key, value in here if isinstance(value, type)])
    where = (
        "Its module lies beside the rig file, in one of the rig's plugin_folders, in the folder where edgerig was "
        "started, or on Python's path."
    )
    return f"Did you mean {module}:{near}? {where}" if near else where
