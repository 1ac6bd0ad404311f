"""What an extra of edgerig installs, as its own description says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=64)
def requirements_of(extra: str) -> tuple[str, ...]:
    """The requirements of ``extra``, each with its marker where it has another one; empty where there is none such."""
    return tuple(_of_extra(_own(), extra))


def requirements_for(extra: str | None, modules: Sequence[str]) -> tuple[str, ...]:
    """What to install for a part of edgerig with that extra; of the base install what brings ``modules``."""
    if extra is not None:
        return requirements_of(extra)
    names = {module.replace("_", "-") for module in modules}
    base = [text.strip() for text in _own() if "extra ==" not in text]
    return tuple(text for text in base if named_requirement(text)[0] in names) or tuple(modules)


def _own() -> list[str]:
    """What edgerig's description says that it requires."""
    # Imported here: whatever starts a process for a network would take its time.
    from importlib import metadata

    return metadata.requires("edgerig") or []


def named_requirement(requirement: str) -> tuple[str, str]:
    """The normalized name of a package that is required, and the bounds of its version.

    >>> named_requirement("tflite_micro<2,>=1.5; python_version < '3.13'")
    ('tflite-micro', '<2,>=1.5')
    """
    text = requirement.partition(";")[0].strip()
    name = re.split(r"[<>=!~\[ ]", text)[0]
    return re.sub(r"[-_.]+", "-", name).lower(), re.sub(r"^\[[^]]*\]", "", text[len(name) :]).strip()


def satisfies(version: str, bounds: str) -> bool:
    """Whether a version lies within ``bounds``, by its leading numbers; of bounds of other kinds nothing is known.

    >>> satisfies("2026.4.1", "<2027,>=2026.1"), satisfies("2022.1", "<2027,>=2026.1"), satisfies("1.2", "==1.3")
    (True, False, False)
    """
    have = numbers(version)
    for bound in filter(None, (part.strip() for part in bounds.split(","))):
        sign = re.match(r"[<>=!~]*", bound).group()  # type: ignore[union-attr]  # it matches an empty text, too
        limit = numbers(bound.removeprefix(sign).strip())
        width = max(len(have), len(limit))
        order = _padded(have, width), _padded(limit, width)
        holds = {
            "<": order[0] < order[1],
            "<=": order[0] <= order[1],
            ">": order[0] > order[1],
            ">=": order[0] >= order[1],
            "==": have[: len(limit)] == limit,
        }
        if not holds.get(sign, True):
            return False
    return True


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> numbers("1.26.4rc1")
    (1, 26, 4)
    """
    result = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        result.append(int(digits))
    return tuple(result)


def _padded(parts: tuple[int, ...], width: int) -> tuple[int, ...]:
    return parts + (0,) * (width - len(parts))


def _of_extra(requires: list[str], extra: str) -> list[str]:
    """
    >>> _of_extra(["a>=1", "b<2; extra == 'x'", "c; (python_version < '3.12') and extra == 'x'"], "x")
    ['b<2', "c; (python_version < '3.12')"]
    """
    mark = re.compile(rf"\s*(?:\band\b\s*)?extra == ['\"]{re.escape(extra)}['\"]")
    result = []
    for requirement in requires:
        name, _, marker = requirement.partition(";")
        if mark.search(marker):
            rest = mark.sub("", marker).strip()
            result.append(f"{name.strip()}; {rest}" if rest else name.strip())
    return result
