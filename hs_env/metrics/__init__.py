"""Metrics of a policy or a classifier on a split, and their bootstrap intervals."""
