"""The Prefect server of a desk: a detached process on loopback with its state in PostgreSQL."""

import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from helios_core.errors import DeadlineError, DependencyError
from helios_core.logs import logger
from helios_core.orchestration.access import PrefectAccess, client_environment
from helios_core.orchestration.processes import Detached

PORT_SETTING = "HELIOS_FLOWS__PORT"
PREFECT_VERSION = "3.8.8"
READY_SECONDS = 180.0  # a first start applies Prefect's own migrations: 15 s of CPU
STOP_SECONDS = 10.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of the server without starting it."""

    running: bool
    ready: bool  # it answers, and reaches its database
    pid: int | None
    ui: str
    log: Path


class PrefectServer:
    """Starts, finds again and stops the server that `access` leads to.

    Parameters
    ----------
    access : PrefectAccess
        Folder, port and password.
    database_url : str
        SQLAlchemy address with asyncpg of Prefect's own database; only needed to start.
    """

    def __init__(self, access: PrefectAccess, database_url: str = "") -> None:
        self.access = access
        self._database_url = database_url
        self._process = Detached("server", access.home)

    def launch(self, inherited: Mapping[str, str]) -> None:
        """Start the process unless it runs already; does not wait, see `wait_ready`.

        A server that answers to the password of this desk is used as it is, whoever started it.

        Raises
        ------
        DependencyError
            If something else listens on the port, or this desk's server on another port.
        """
        if not self._must_start():
            return
        port = self.access.port
        command = [
            sys.executable, "-m", "prefect", "server", "start",
            "--host", "127.0.0.1", "--port", str(port),
        ]  # fmt: skip
        environment = server_environment(self.access, self._database_url, inherited)
        pid = self._process.spawn(command, environment, self.access.home, str(port))
        logger("flows").info("prefect server started", pid=pid, port=port)

    def require_startable(self) -> None:
        """Raise what `launch` would raise for the port, without starting anything."""
        self._must_start()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the server answers and reaches its database.

        Raises
        ------
        DependencyError
            If the process ended, or the server is of another version.
        DeadlineError
            If it is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._process.process() is None:
                raise DependencyError(
                    f"the Prefect server ended while it started; the end of {self._process.log}: "
                    f"{self._process.tail()}"
                )
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"the Prefect server on port {self.access.port} was not ready after "
                    f"{seconds:g} s; see {self._process.log}"
                )
            time.sleep(0.2)
        self._require_version()

    def start(self, inherited: Mapping[str, str], seconds: float = READY_SECONDS) -> None:
        """Launch and wait until ready."""
        self.launch(inherited)
        self.wait_ready(seconds)

    def stop(self) -> bool:
        """Stop the server; return whether it ran."""
        return self._process.stop(STOP_SECONDS)

    def status(self) -> ServerState:
        """Return whether it runs, whether it is ready, and where it is."""
        process = self._process.process()
        ready = self._answers()
        return ServerState(
            running=process is not None or ready,
            ready=ready,
            pid=process.pid if process else None,
            ui=self.access.ui,
            log=self._process.log,
        )

    def _must_start(self) -> bool:
        """Return whether no server of this desk runs yet; a port in other hands raises."""
        port = self.access.port
        if self._process.process() is not None:
            self._require_port(port)
            return False
        if self._answers():
            return False
        if not _is_free(port):
            raise DependencyError(
                f"Prefect needs port {port} on 127.0.0.1, which another program uses; stop that "
                f"program, or choose a free port: {PORT_SETTING}={port + 1} helios flow up"
            )
        return True

    def _answers(self) -> bool:
        """Whether a server that accepts our password answers, and its database too.

        ``/api/ready`` is open to everybody and tells of the database, ``/api/health`` does not.
        """
        # a port that is silent to the first question is not asked again
        return self._get("/ready") is not None and self._get("/admin/version") is not None

    def _require_port(self, port: int) -> None:
        if self._process.note != str(port):
            raise DependencyError(
                f"the Prefect server of this desk runs on port {self._process.note}, the settings "
                f"say {port}; stop it with `helios flow down` first, or set {PORT_SETTING} back"
            )

    def _require_version(self) -> None:
        answer = self._get("/admin/version")
        found = answer.json() if answer is not None else "no answer"
        if found != PREFECT_VERSION:
            raise DependencyError(
                f"the Prefect server on port {self.access.port} has version {found}, Helios works "
                f"with {PREFECT_VERSION}; stop it, or choose another port with {PORT_SETTING}"
            )

    def _get(self, path: str) -> httpx.Response | None:
        """Return the answer if it is 200, else None."""
        try:
            answer = httpx.get(
                self.access.api + path,
                headers={"Authorization": self.access.authorization},
                timeout=PROBE_SECONDS,
                trust_env=False,
            )
        except httpx.HTTPError:
            return None
        return answer if answer.status_code == httpx.codes.OK else None


def server_environment(
    access: PrefectAccess, database_url: str, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of the server: loopback, password, no calls to the outside."""
    return client_environment(access, inherited) | {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url,
        "PREFECT_SERVER_API_AUTH_STRING": access.password,
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # V2 calls amplitude.com even without analytics
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_UI_API_URL": access.api,
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # a tick every five minutes is 105,000 runs a year; the default keeps all of them
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
