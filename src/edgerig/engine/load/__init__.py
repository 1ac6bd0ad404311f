"""Measuring under load: several streams at once, and requests that arrive at a rate."""
