"""Workflows: steps that are edgerig commands, run on cached stages, or exported to engines that run elsewhere."""
