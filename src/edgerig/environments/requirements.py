"""What an extra of edgerig installs, as its own description says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata


@lru_cache(maxsize=64)
def requirements_of(extra: str) -> tuple[str, ...]:
    """The requirements of ``extra``, each with its marker where it has another one; empty where there is none such."""
    return tuple(_of_extra(metadata.requires("edgerig") or [], extra))


def requirements_for(extra: str | None, modules: Sequence[str]) -> tuple[str, ...]:
    """What to install for a part of edgerig with that extra; of the base install what brings ``modules``."""
    if extra is not None:
        return requirements_of(extra)
    names = {module.replace("_", "-") for module in modules}
    base = [text.strip() for text in metadata.requires("edgerig") or [] if "extra ==" not in text]
    return tuple(text for text in base if re.split(r"[<>=!~;\[ ]", text)[0] in names) or tuple(modules)


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
