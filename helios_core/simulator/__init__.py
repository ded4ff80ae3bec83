"""A generated market for demos and tests, always marked SIMULATED."""
