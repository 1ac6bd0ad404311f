"""Python environments other than edgerig's own, in which engines run that cannot be installed beside one another."""
