"""How to reach the Prefect server of a desk: address, password, and the environment of clients."""

import base64
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

BOOT = Path(__file__).parent / "boot"
USER = "helios"


@dataclass(frozen=True, slots=True)
class PrefectAccess:
    """Where the server of a desk is, and what it asks of those who come.

    Attributes
    ----------
    home : Path
        Folder of Prefect's logs, pid files and password: ``<home of the desk>/prefect``.
    port : int
        On 127.0.0.1.
    password : str
        ``user:secret``, as Prefect wants it in one string.
    """

    home: Path
    port: int
    password: str = field(repr=False)

    @property
    def ui(self) -> str:
        """Address of the user interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Address of the REST interface."""
        return f"{self.ui}/api"

    @property
    def password_file(self) -> Path:
        """File that holds the password; the user interface asks for its content."""
        return self.home / "password"

    @property
    def authorization(self) -> str:
        """Value of the HTTP header `Authorization`."""
        return "Basic " + base64.b64encode(self.password.encode()).decode()


def open_access(home: Path, port: int) -> PrefectAccess:
    """Return the access to the server below `home` of a desk; makes its password at first use."""
    folder = home.resolve() / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    return PrefectAccess(folder, port, _password(folder / "password"))


def _password(file: Path) -> str:
    """Return the password in `file`; it is written whole or not at all, with mode 0600."""
    if not file.exists():
        partial = file.with_suffix(f".{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(f"{USER}:{secrets.token_urlsafe(24)}")
        try:
            os.link(partial, file)  # fails if another process was first
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return file.read_text(encoding="utf-8").strip()


def client_environment(access: PrefectAccess, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that talks to the server of this desk.

    Prefect settings of the user's shell are left out: they may name another server, or carry a
    cloud key. The interpreter's folder comes first in PATH, because the pool starts ``python``.
    """
    kept = {k: v for k, v in inherited.items() if not k.startswith("PREFECT_")}
    path = [str(BOOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(path),
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(access.home),
        "PREFECT_API_URL": access.api,
        "PREFECT_API_AUTH_STRING": access.password,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # while PostgreSQL restarts the server answers 500, which clients do not retry by default
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
        "PREFECT_CLIENT_MAX_RETRIES": "12",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_CLI_PROMPT": "false",
    }
