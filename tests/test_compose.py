"""The containers are locked down and wait for one another; no secret stands in the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"migrate", "api", "worker", "beat"}
each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_the_whole_office_is_there() -> None:
    """Six services, no more, no less."""
    assert set(SERVICES) == OURS | {"postgres", "valkey"}


@each_service
def test_a_container_has_no_rights_to_spare(name: str) -> None:
    """Not root, no capability, no new privileges, a root it cannot write, bounded memory."""
    service = SERVICES[name]
    assert int(service["user"].split(":")[0]) >= 100
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert not service.get("privileged", False)
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])


@each_service
def test_a_container_tells_how_it_is(name: str) -> None:
    """Whoever stays has a health check; the one who does not is waited for until it is done."""
    check = SERVICES[name]["healthcheck"]
    assert check == {"disable": True} if name == "migrate" else check["test"][0].startswith("CMD")
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        once = other == "migrate"
        assert wait["condition"] == (
            "service_completed_successfully" if once else "service_healthy"
        )


@each_service
def test_no_secret_stands_in_the_environment(name: str) -> None:
    """Passwords and addresses with passwords are files, and the files are not in the repository."""
    service = SERVICES[name]
    for key, value in service.get("environment", {}).items():
        assert (
            key.endswith("_FILE")
            or not re.search(r"PASSWORD|SECRET|KEY|_URL$", key)
            or (key == "BANJIE_PUBLIC_URL")
        )
        assert "://" not in str(value)
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_know_every_name_the_containers_use(name: str) -> None:
    """A variable or secret file that Settings does not know would do nothing, without a word."""
    service = SERVICES[name]
    names = [*service["environment"], *(secret.upper() for secret in service["secrets"])]
    assert {n.removeprefix("BANJIE_").lower() for n in names} <= set(Settings.model_fields)


def test_settings_read_secret_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named like the variable, in small letters, gives its value and never shows it."""
    (tmp_path / "banjie_database_url").write_text("postgresql://banjie:deep@db/banjie\n")
    monkeypatch.setenv("BANJIE_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("BANJIE_DATABASE_URL", raising=False)
    settings = Settings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://banjie:deep@db/banjie"
    assert "deep" not in repr(settings)


def test_only_the_counter_is_published_and_only_to_this_machine() -> None:
    """The database and the hints have no port outside, and their network no way out."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == SERVICES["valkey"]["networks"] == ["inside"]


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last USER of the Dockerfile is a number that is not root's."""
    users = re.findall(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1] != "0"
