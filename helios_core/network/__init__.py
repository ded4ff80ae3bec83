"""Tier 2: labels, splits, the network, gates and inference. Pure; the only importer of torch."""
