"""Engines that load a network on this machine and run it."""
