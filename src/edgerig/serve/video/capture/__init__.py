"""Pictures out of a source of frames, for a dataset: at a distance in time, and where something has changed."""
