"""Planning and applying all environments on stand-ins for the clouds: `python -m tools.rehearsal`."""
