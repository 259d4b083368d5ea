"""Four YAML files per environment in; a validated, immutable, traceable release out."""

__version__ = "1.0.0"
