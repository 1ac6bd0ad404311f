"""A network answers others: one pool of sessions, several ways in."""
