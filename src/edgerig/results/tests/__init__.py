"""A history of tests that several machines write at once: a file for each test, created once and never changed."""
