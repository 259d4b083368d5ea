"""From validated files to a published, noted release: the record and the steps that fill it."""
