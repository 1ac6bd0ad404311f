"""The host's side of MLPerf Tiny: tests a device over a line of bytes, and writes what the official checker reads."""
