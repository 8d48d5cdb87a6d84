"""Settings: read from both places, checked at once, documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guerdon.settings import Settings, SettingsError, describe, load_settings

ROOT = Path(__file__).parents[2]


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "guerdon.toml").write_text('port = 9000\nhost = "0.0.0.0"\nworker_in_serve = false\n')
    settings = load_settings({"GUERDON_PORT": "9001", "GUERDON_DRAIN_SECONDS": "1"}, tmp_path)
    assert (settings.port, settings.host, settings.worker_in_serve) == (9001, "0.0.0.0", False)
    assert (settings.drain_seconds, settings.processes) == (1.0, 1)


def test_the_file_may_be_named_and_then_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 9000\n")
    assert load_settings({"GUERDON_CONFIG": str(tmp_path / "other.toml")}, tmp_path).port == 9000
    with pytest.raises(SettingsError, match=r"missing\.toml cannot be read"):
        load_settings({"GUERDON_CONFIG": str(tmp_path / "missing.toml")}, tmp_path)


def test_a_database_url_switches_the_embedded_server_off(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).embedded
    assert not load_settings({"DATABASE_URL": "postgresql://db/x"}, tmp_path).embedded
    both = {"DATABASE_URL": "postgresql://a/x", "GUERDON_DATABASE_URL": "postgresql://b/x"}
    assert load_settings(both, tmp_path).database_url == "postgresql://b/x"


def test_all_mistakes_are_told_at_once_with_name_value_and_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "guerdon.toml").write_text('porcesses = 3\nwriter_batch = "many"\n')
    environ = {
        "GUERDON_PORT": "70000",
        "GUERDON_LOG_FORMAT": "xml",
        "GUERDON_WORKER_IN_SERVE": "perhaps",
        "GUERDON_DRAIN_SECONDS": "-1",
        "GUERDON_PROCESES": "2",
        "DATABASE_URL": "mysql://root:secret@db/x",
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, tmp_path)
    said = str(caught.value)
    for part in (
        "GUERDON_PORT is '70000'",
        "a number from 1 to 65535",
        "GUERDON_LOG_FORMAT is 'xml'",
        "json or text",
        "GUERDON_WORKER_IN_SERVE is 'perhaps'",
        "true or false",
        "GUERDON_DRAIN_SECONDS is '-1'",
        "GUERDON_PROCESES is no setting. Did you mean GUERDON_PROCESSES?",
        "Did you mean processes?",
        "writer_batch in",
        "postgresql://user:password@host/database",
    ):
        assert part in said
    assert "secret" not in said


def test_variables_that_kubernetes_makes_for_a_service_called_guerdon_are_left_alone(tmp_path: Path) -> None:
    environ = {
        "GUERDON_PORT": "tcp://10.0.0.7:8770",
        "GUERDON_PORT_8770_TCP_ADDR": "10.0.0.7",
        "GUERDON_SERVICE_HOST": "10.0.0.7",
    }
    assert load_settings(environ, tmp_path) == Settings()


def test_the_table_of_the_documentation_is_the_struct() -> None:
    page = (ROOT / "docs/operate/settings.md").read_text()
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in page.splitlines()
        if line.startswith("| `GUERDON_")
    ]
    expected = [
        (f"`{name}`", f"`{default}`" if default else "", allowed, says)
        for name, default, allowed, says in describe()
    ]
    assert rows == expected


def test_every_setting_is_used_somewhere() -> None:
    code = "".join(
        file.read_text() for file in (ROOT / "src/guerdon").rglob("*.py") if file.name != "settings.py"
    )
    used = set(re.findall(r"(?:settings|ready|changed)\.(\w+)", code))
    used |= {"data_dir"} if "data_path" in used else set()
    assert set(Settings.__struct_fields__) - used == set()
