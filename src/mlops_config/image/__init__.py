"""The environment image: built by an engine or by hand, opened, and proven."""
