"""Agents and boards on a link: TCP, unix sockets, serial lines."""
