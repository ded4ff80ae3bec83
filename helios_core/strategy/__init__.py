"""Tier 4, the pure half: the brief, the view and its governor."""
