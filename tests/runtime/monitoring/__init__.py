"""Tests of the monitoring job and its report."""
