"""The relations between values, files and environments that no single field can state."""
