"""GitHub Actions and its API: the only room that knows either."""
