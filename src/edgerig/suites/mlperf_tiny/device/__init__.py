"""A device under test on Linux: the console of MLPerf Tiny's protocol, a network behind it, the line before it."""
