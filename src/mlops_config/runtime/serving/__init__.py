"""The model server: predictions over HTTP."""
