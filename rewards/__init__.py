"""Reward functions on batches of finished episodes."""
