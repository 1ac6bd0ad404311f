"""Formats of networks: how their files are recognized, read, hashed and sent, and what runs them.

A format is a plugin like any other. It is known by its name if an installed package registers it in the entry point
group ``edgerig.formats``, or once the module that defines its class is loaded; so a compiler or a runtime can bring its
own format. A file's format is found by its suffix: for installed formats by the entry point of that name in
``edgerig.formats`` or, for further suffixes, in ``edgerig.suffixes``.
"""

from edgerig.formats.base import Format, Predictor, Specification
from edgerig.formats.registry import format_of, load, named, with_suffix

__all__ = ["Format", "Predictor", "Specification", "format_of", "load", "named", "with_suffix"]
