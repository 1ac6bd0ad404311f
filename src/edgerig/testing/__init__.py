"""Contract tests for plugin authors: subclass one and provide its fixtures to test your plugin.

They need pytest, which is no dependency of edgerig.
"""
