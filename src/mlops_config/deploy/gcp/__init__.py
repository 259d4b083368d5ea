"""An endpoint on Vertex AI. It has no rollouts of its own: we move its traffic split, step by step."""
