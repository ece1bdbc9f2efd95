"""Adapters for RL libraries, one module per library. Only the module of a library imports it."""
