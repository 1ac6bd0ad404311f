"""Boards that are simulated or emulated on this machine."""
