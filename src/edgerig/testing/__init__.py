"""Contract tests for plugin authors: subclass one, give its fixture, and your plugin proves itself.

They need pytest, which is no dependency of edgerig.
"""
