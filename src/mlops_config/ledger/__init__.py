"""The ledger: what ran where and when, append-only, each entry naming the digest of the one before."""
