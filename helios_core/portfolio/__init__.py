"""Tier 5: moments, mean-variance weights, rebalancing. Pure."""
