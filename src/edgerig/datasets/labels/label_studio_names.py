"""Names of images in Label Studio's tasks, which hold addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from edgerig.datasets.labels.checks import check_image_name
from edgerig.errors import DatasetError

#: Before the names of images where Label Studio serves a folder of its own machine: ``images`` in its document root.
PREFIX = "/data/local-files/?d=images/"
#: What Label Studio puts before the names of files that were uploaded to it.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def image_of(name: str, prefix: str = PREFIX) -> str:
    """The address of an image."""
    return prefix + quote(name)


def image_name(data: Mapping[str, object], where: str, prefix: str = PREFIX) -> str:
    """The name of a task's image: what follows ``prefix``, else the last part of its address.

    Args:
        data: Of the task: the address under ``image``, or the only text in it.
        where: Names the task in errors.

    Raises:
        DatasetError: There is no address, or no name in it.

    >>> image_name({"image": "/data/upload/3/1a2b3c4d-street%201.png"}, "task 1")
    'street 1.png'
    >>> image_name({"image": "/data/local-files/?d=images/a/1.png"}, "task 1")
    'a/1.png'
    """
    texts = [value for value in data.values() if isinstance(value, str)]
    address = data.get("image", texts[0] if len(texts) == 1 else None)
    if not isinstance(address, str):
        raise DatasetError(f"{where} has no image: its data are {', '.join(data) or 'empty'}.", "Name it 'image'.")
    if address.startswith(prefix):
        name = unquote(address.removeprefix(prefix))
    else:
        parts = urlsplit(address)
        path = parts.query.partition("d=")[2] if parts.path.endswith("/local-files/") else parts.path
        name = PurePosixPath(unquote(path)).name
        if "/upload/" in path:
            name = _UPLOADED.sub("", name)
    check_image_name(name, where)
    return name
