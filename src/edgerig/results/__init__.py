"""Bundles and what they hold."""
