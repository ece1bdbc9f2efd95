"""Metrics of a policy or a classifier on a split, with bootstrap intervals."""
