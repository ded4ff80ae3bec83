"""Names that look like one that was not found, for the sentence that says so."""

import difflib
from collections.abc import Iterable

SHOWN = 3


def similar(name: str, known: Iterable[str]) -> str:
    """Return ``; similar: a, b`` with the names that begin with `name` or look like it, or ""."""
    names = list(dict.fromkeys(known))
    begin = [one for one in names if name and one.startswith(name)]
    close = difflib.get_close_matches(name, names, n=SHOWN)
    found = list(dict.fromkeys([*begin, *close]))[:SHOWN]
    return f"; similar: {', '.join(found)}" if found else ""
