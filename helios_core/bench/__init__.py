"""Side by side timings against named peers: `helios bench NAME`."""
