"""Runs notebooks and draws what they show; figures, typed results, provenance."""

import sys

# jsonschema, which every Jupyter library loads, imports this for one format that notebooks do not
# use; it then builds a grammar for 2.6 s of CPU in every process. jsonschema copes without it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
