"""Makes sample folders in the official form from the original data sets that a user has."""

from edgerig.datasets.mlperf_tiny.building.build import BUILDERS, build_folder

__all__ = ["BUILDERS", "build_folder"]
