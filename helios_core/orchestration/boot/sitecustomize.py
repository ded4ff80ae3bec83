"""First on the path of Prefect's processes: skips a grammar that takes 2.6 s of CPU to build.

jsonschema imports rfc3987_syntax for one string format that nobody here uses, and does without it.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
