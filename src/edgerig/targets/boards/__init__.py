"""Boards: what they are, how their firmware is built, and one that is simulated."""
