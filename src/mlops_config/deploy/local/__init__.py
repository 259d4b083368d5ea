"""An endpoint on this machine: a router on the configured port, and a model server for each revision."""
