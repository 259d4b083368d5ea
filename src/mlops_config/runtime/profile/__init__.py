"""Mergeable summaries of a table's columns."""
