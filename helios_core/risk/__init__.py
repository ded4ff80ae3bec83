"""Tier 3, Aether: volatility, Kelly sizing, leverage, limits. Pure."""
