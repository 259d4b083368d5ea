"""Tables at file://, s3:// and gs://: read, checked against the schema, split, fingerprinted."""
