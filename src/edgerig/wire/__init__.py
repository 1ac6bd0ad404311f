"""The protocol between host and device: frames, links, messages, and the host's side of a session."""
