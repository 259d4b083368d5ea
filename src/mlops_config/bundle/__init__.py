"""The four files as one bundle: digest, manifest, archive, meaning."""
