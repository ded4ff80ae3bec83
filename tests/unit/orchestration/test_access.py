import base64
import os
from pathlib import Path

from helios_core.orchestration.access import client_environment, open_access
from helios_core.orchestration.server import server_environment
from helios_core.orchestration.worker import worker_environment


def test_the_password_is_made_once_and_is_for_the_user_only(tmp_path):
    first, second = open_access(tmp_path, 4200), open_access(tmp_path, 4200)
    file = tmp_path / "prefect" / "password"

    assert first.password == second.password == file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["password"]
    assert first.password.startswith("helios:")
    assert len(first.password) > 30


def test_the_password_is_not_shown_by_repr(tmp_path):
    access = open_access(tmp_path, 4200)

    assert access.password not in repr(access)


def test_the_header_is_basic_authentication(tmp_path):
    access = open_access(tmp_path, 4200)
    kind, _, coded = access.authorization.partition(" ")

    assert kind == "Basic"
    assert base64.b64decode(coded).decode() == access.password


def test_prefect_settings_of_the_shell_are_left_out(tmp_path):
    shell = {"PREFECT_API_KEY": "cloud", "PREFECT_API_URL": "https://else", "HELIOS_X": "1"}
    found = client_environment(open_access(tmp_path, 4321), shell)

    assert "PREFECT_API_KEY" not in found
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert found["HELIOS_X"] == "1"
    assert found["DO_NOT_TRACK"] == "1"
    assert found["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_the_boot_folder_comes_first_and_an_own_python_path_is_kept(tmp_path):
    found = client_environment(open_access(tmp_path, 4200), {"PYTHONPATH": "/own"})
    first, own = found["PYTHONPATH"].split(os.pathsep)

    assert (Path(first) / "sitecustomize.py").is_file()
    assert own == "/own"


def test_only_the_server_knows_the_database(tmp_path):
    access = open_access(tmp_path, 4200)
    server = server_environment(access, "postgresql+asyncpg://u:p@/prefect", {})
    worker = worker_environment(access, {})

    assert server["PREFECT_SERVER_DATABASE_CONNECTION_URL"].endswith("/prefect")
    assert server["PREFECT_SERVER_UI_V2_ENABLED"] == "false"
    assert not [name for name in worker if "DATABASE" in name]
