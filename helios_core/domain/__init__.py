"""Frozen types and frame schemas that the tiers exchange; imports nothing but errors."""
