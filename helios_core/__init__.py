"""Helios: a Jupyter-first research workbench for the VALR exchange."""

__version__ = "0.1.0"
