"""Formats of networks: how their files are told apart, read, hashed and sent, and what runs them.

A format is a plugin like any other. It is known by its name where an installed package registers it in the entry point
group ``edgerig.formats``, or once the module is loaded that defines its class; so a compiler or a runtime brings its
format along. A file's format is found by its suffix: of installed formats by the entry point of that name in
``edgerig.formats`` or, for further suffixes, in ``edgerig.suffixes``.
"""

from edgerig.formats.base import Format, Predictor, Specification
from edgerig.formats.registry import format_of, load, named, with_suffix

__all__ = ["Format", "Predictor", "Specification", "format_of", "load", "named", "with_suffix"]
