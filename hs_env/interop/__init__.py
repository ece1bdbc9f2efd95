"""Adapters for RL libraries, one module a library: each imports its own when it is imported, and none is here."""
