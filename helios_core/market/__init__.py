"""Tier 1: candles, gaps and the ninety features. Pure."""
