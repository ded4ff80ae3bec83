"""Replays the store through the same decision code that trades."""
