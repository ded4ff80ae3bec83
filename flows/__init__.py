"""Prefect flows; they run notebooks and hold no finance."""
