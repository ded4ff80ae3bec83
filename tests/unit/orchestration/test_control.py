from helios_core.orchestration.control import desk_environment
from helios_core.settings import load_settings


def test_flow_runs_inherit_the_folders_of_the_desk_but_no_identity_of_a_run(monkeypatch, tmp_path):
    monkeypatch.setenv("HELIOS_RUN_ID", "r-1")
    monkeypatch.setenv("HELIOS_RUN_NONCE", "n")
    monkeypatch.setenv("HELIOS_TRADING__BOOK", "second")
    found = desk_environment(load_settings(home=tmp_path, runs=tmp_path / "runs"))

    assert found["HELIOS_HOME"] == str(tmp_path)
    assert found["HELIOS_RUNS"] == str(tmp_path / "runs")
    assert found["HELIOS_TRADING__BOOK"] == "second"
    assert not {"HELIOS_RUN_ID", "HELIOS_RUN_NONCE"} & found.keys()
