"""MLPerf Tiny's benchmarks: what they ask for, and their official samples."""
