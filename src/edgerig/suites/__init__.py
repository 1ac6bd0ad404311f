"""Whole known jobs on top of the rig."""
