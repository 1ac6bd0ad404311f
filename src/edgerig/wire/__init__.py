"""Frame codec, links, client and server sessions."""
