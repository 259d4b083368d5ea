"""The loop as a story on one machine: `python -m tools.loop`."""
