"""The four kinds as pydantic models, and their JSON Schema."""
