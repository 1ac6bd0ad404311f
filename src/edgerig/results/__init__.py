"""Bundles and their content."""
