"""Passes over the representation, one file each; `edgerig.micro.pipeline` runs them in order."""
