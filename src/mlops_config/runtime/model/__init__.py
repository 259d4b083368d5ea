"""Models: made from a configuration, judged, stored without pickle, and asked for predictions."""
