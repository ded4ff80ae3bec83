"""Small notebooks, written as the tests need them."""

import json

import pytest


@pytest.fixture
def write_notebook(tmp_path):
    """Return a function that writes code cells, the first of them tagged `parameters`."""

    def write(*cells, name="tiny", tags=("parameters",)):
        book = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"c{number}",
                    "metadata": {"tags": list(tags)} if number == 0 else {},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for number, source in enumerate(cells)
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps(book))
        return path

    return write
