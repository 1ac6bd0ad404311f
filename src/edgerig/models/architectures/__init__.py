"""The networks that come with edgerig, one file each."""
