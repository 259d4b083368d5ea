"""The monitoring job: one window of what was served against the reference, as a report."""
