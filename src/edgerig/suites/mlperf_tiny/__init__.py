"""MLPerf Tiny: the runner that tests a device, and what makes a target of edgerig into such a device."""
