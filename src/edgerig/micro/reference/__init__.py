"""Every operator in numpy, with the integers and roundings of LiteRT's reference kernels: the generated C equals it."""

from edgerig.micro.reference.run import Machine, run_node

__all__ = ["Machine", "run_node"]
