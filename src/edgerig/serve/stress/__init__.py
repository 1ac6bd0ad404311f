"""Loads a server with requests, and measures how it answers: closed loop, or arrivals at a given rate."""
