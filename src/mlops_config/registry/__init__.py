"""A client for container registries: the OCI distribution protocol 1.1, with every digest checked."""
