"""Retraining: the decision, the comparison of challenger and champion, and the promotion."""
