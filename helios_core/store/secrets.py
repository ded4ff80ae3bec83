"""Passwords in files that only their owner can read, and a lock between processes."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def secret(file: Path) -> str:
    """Return the password in `file`, making a new one if there is none."""
    if not file.exists():
        write_secret(file, secrets.token_hex(24))
    return file.read_text(encoding="utf-8").strip()


def write_secret(file: Path, value: str) -> None:
    """Write a file that nobody else may read, at no moment."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(value)


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Let one process at a time through; the kernel frees the lock when its holder dies."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
