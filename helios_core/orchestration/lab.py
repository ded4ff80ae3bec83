"""JupyterLab on loopback with a token, started as a child of the command line."""

import json
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

from helios_core.errors import DependencyError
from helios_core.settings import PROJECT


def require_free_port(port: int, what: str, setting: str) -> None:
    """Raise ``DependencyError`` if something already listens on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DependencyError(
                f"{what} needs port {port} on 127.0.0.1, which is taken ({error.strerror}); "
                f"stop what uses it or set {setting} to a free port"
            ) from error


def run_lab(home: Path, port: int) -> int:
    """Run JupyterLab in the foreground and return its exit code.

    The token is kept in ``<home>/lab.token`` (mode 0600), so that the address stays the same.
    """
    require_free_port(port, "JupyterLab", "HELIOS_NOTEBOOKS__LAB_PORT")
    token = _token(home / "lab.token")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", "--LabApp.news_url=None",
        f"--ServerApp.root_dir={PROJECT}", "--LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb",
        *_as_root(),
    ]  # fmt: skip
    environment = _environment() | {"JUPYTER_TOKEN": token}  # the command line is seen by ps
    _without_news(home / "jupyter", environment)
    print(f"JupyterLab: http://127.0.0.1:{port}/lab?token={token}", flush=True)  # noqa: T201
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


def _environment() -> dict[str, str]:
    from helios_core.settings import process_environment

    return process_environment()


def _without_news(folder: Path, environment: dict[str, str]) -> None:
    """Keep JupyterLab from asking at every new browser whether it may call jupyter.org."""
    file = folder / "labconfig" / "page_config.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    file.write_text(json.dumps(disabled), encoding="utf-8")
    own = environment.get("JUPYTER_CONFIG_PATH")
    environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [own, str(folder)]))


def _as_root() -> list[str]:
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _token(file: Path) -> str:
    if file.exists():
        return file.read_text(encoding="utf-8").strip()
    file.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(24)
    file.touch(mode=0o600)
    file.write_text(token, encoding="utf-8")
    return token
