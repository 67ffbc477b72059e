"""Settings: one frozen object, read once by a composition root (api.main, adapters.worker, the command line).

Sources, the first that has a value wins: arguments, environment variables `BANJIE_*`, secret files.
A secret file is named like its variable in small letters (`banjie_database_url`) and lies in
`/run/secrets` or in the folders of `BANJIE_SECRETS_DIR`, so that no secret needs to stand in an
environment or a process list. A wrong value stops the start, with all complaints at once.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SecretsSettingsSource, SettingsConfigDict

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource

__all__ = ["LOOPBACK", "Settings"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine for itself."""


class Settings(BaseSettings):
    """Everything an installation may decide; `docs/operations.md` has a line for each field."""

    model_config = SettingsConfigDict(
        env_prefix="BANJIE_",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # an input may be a secret
    )

    home: Path = Field(
        default=Path(".banjie"),
        description="State folder: embedded servers, their passwords, keys, attachments, logs.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API and the console listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port of the API and the console.")
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL as the application's role, which owns nothing "
        "(postgresql://banjie_app:password@host/name). When set, the embedded PostgreSQL is not "
        "started.",
    )
    owner_url: SecretStr | None = Field(
        default=None,
        description="The same database as the role that owns the tables, for `banjie migrate`, "
        "backups and restores. Empty: BANJIE_DATABASE_URL's. The counter and the worker never need it.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis or Valkey (redis://:password@host:port/0), which carries hints only. "
        "When set, the embedded Valkey is not started.",
    )
    pool_size: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Database connections per process; also the number of requests at work at once.",
    )
    sample: bool = Field(
        default=False,
        description="Load the sample office once and allow the practice clock. Never in production.",
    )
    workflows: Path | None = Field(
        default=None,
        description="Another folder of workflow files instead of the one that comes with Banjie.",
    )
    office_name: str = Field(
        default="示例市市场监督管理局",
        min_length=1,
        max_length=100,
        description="Name of the office, as it stands on pages and letters.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+)?$",
        description="Address under which people reach this office, for links in messages "
        "(https://example.gov.cn); empty: http://HOST:PORT.",
    )
    secret_file: Path | None = Field(
        default=None,
        description="File of the key that seals identities and signs checkpoints. Keep a copy "
        "outside the machine. Empty: secret.key in the state folder, made on the first start.",
    )
    keys_dir: Path | None = Field(
        default=None,
        description="Folder of the keys of the vault, outside the database and its backups. Keep a "
        "copy outside the machine. Empty: keys in the state folder, made on first need.",
    )
    checkpoints_dir: Path | None = Field(
        default=None,
        description="Folder of the file of signed checkpoints, outside the database and better on "
        "another disk. Empty: checkpoints in the state folder.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server, smtp://user:password@host:port, or smtps:// for TLS from the "
        "first byte. Empty: the log of the worker notes a mail's id instead.",
    )
    mail_from: str = Field(
        default="banjie@localhost",
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
        description="Sender address of mail.",
    )
    mail_timeout: float = Field(
        default=20.0, gt=0, le=30, description="Seconds to wait for each answer of the mail server."
    )
    webhook_timeout: float = Field(
        default=10.0, gt=0, le=30, description="Seconds one try of a webhook may take in all."
    )
    proxies: str = Field(
        default="",
        pattern=r"^[0-9A-Fa-f.:/, ]*$",
        description="Addresses or networks of reverse proxies, with commas between, whose "
        "X-Forwarded-For and X-Forwarded-Proto are believed. Empty: nobody's.",
    )
    disk_reserve: int = Field(
        default=256,
        ge=0,
        description="MiB of the disk that stay free for the database: below, reading goes on and "
        "whatever would write is answered 503. 0 switches it off.",
    )
    webhook_hosts: str = Field(
        default="",
        description="Hosts (host or host:port, with commas between) that webhooks may reach though "
        "they are inside, by http or on another port. Others: https, port 443, public addresses.",
    )
    store_url: str = Field(
        default="",
        pattern=r"^(|file:///[^\s?#]+|s3://[^\s?#@]+)$",
        description="Where attachments are kept: file:///folder or s3://bucket/prefix (credentials "
        "and endpoint from AWS_* variables). Empty: attachments in the state folder.",
    )
    upload_file_mib: int = Field(default=20, ge=1, le=200, description="MiB one file may have.")
    upload_files: int = Field(default=10, ge=1, le=50, description="Files of one request.")
    upload_mib: int = Field(default=60, ge=1, le=1000, description="MiB of one request with files.")
    upload_item_mib: int = Field(
        default=200, ge=1, le=10_000, description="MiB all attachments of one item may have."
    )
    upload_seconds: int = Field(
        default=300, ge=1, le=3600, description="Seconds a request with files may take to arrive."
    )
    clamd_url: str = Field(
        default="",
        pattern=r"^(|unix:///[^\s?#]+|tcp://[^\s/?#@]+:[0-9]{1,5})$",
        description="ClamAV's daemon: unix:///run/clamav/clamd.ctl or tcp://host:3310. Empty: "
        "attachments say that they were not scanned.",
    )

    submissions_per_network: int = Field(
        default=60,
        ge=0,
        description="Submissions an hour from one network before a proof of work is asked for; 0: "
        "no limit. The sample office knows none unless it is set.",
    )
    submissions_per_minute: int = Field(
        default=120,
        ge=0,
        description="The same a minute from everywhere.",
    )
    session_hours: int = Field(
        default=12, ge=1, le=24, description="Hours after which a session ends, used or not."
    )
    idle_minutes: int | None = Field(
        default=None,
        ge=5,
        le=480,
        description="Minutes unused after which a session ends. None: 30; in a sample office as "
        "long as the session.",
    )
    step_up_minutes: int | None = Field(
        default=None,
        ge=1,
        le=60,
        description="Minutes a password or code counts as given just now, for what must not be "
        "done from a desk left open. None: 5; in a sample office as long as the session.",
    )
    second_factor: Literal["enrolled", "roles", "all"] | None = Field(
        default=None,
        description="Who must have a second factor: those who enrolled one, roles with power too, "
        "or everybody. None: roles; in a sample office enrolled.",
    )
    oidc_issuer: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Issuer of the house's single sign-on (OpenID Connect). Empty: none.",
    )
    oidc_client_id: str = Field(default="", description="What the issuer calls this office.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret the issuer gave; none for a public client."
    )
    oidc_claim: str = Field(
        default="preferred_username",
        pattern=r"^[a-z_]{1,40}$",
        description="Claim of the issuer's answer that names the account here.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced below
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, secret files; a folder that is not there holds no secrets."""
        named = os.environ.get("BANJIE_SECRETS_DIR", "/run/secrets")
        folders: list[Path | str] = [f for f in named.split(os.pathsep) if f and Path(f).is_dir()]
        if not folders:
            return (init_settings, env_settings)
        return (
            init_settings,
            env_settings,
            SecretsSettingsSource(settings_cls, secrets_dir=folders),
        )

    @model_validator(mode="after")
    def _samples_stay_at_home(self) -> Self:
        """Refuse the published sample passwords on an address that others can reach by name."""
        if self.sample and self.public_url.startswith("https://"):
            message = (
                "BANJIE_SAMPLE=1 loads accounts with a published password and cannot be used with "
                "a BANJIE_PUBLIC_URL that is https. Unset one of the two."
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _sign_on_is_whole(self) -> Self:
        """Refuse half a configuration, and an issuer that is asked in the clear."""
        issuer = urlsplit(self.oidc_issuer)
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("BANJIE_OIDC_ISSUER needs BANJIE_OIDC_CLIENT_ID beside it.")
        if issuer.scheme == "http" and issuer.hostname not in LOOPBACK:
            raise ValueError("BANJIE_OIDC_ISSUER must be https.")
        return self

    @property
    def session_lasts(self) -> timedelta:
        """How long a session lasts at most."""
        return timedelta(hours=self.session_hours)

    @property
    def session_idle(self) -> timedelta:
        """How long a session lasts unused. A sample office is lenient: people leave an exercise
        for a while and a script logs everybody in before it begins, and nothing there is real.
        """
        return self._window(self.idle_minutes, 30)

    @property
    def step_up(self) -> timedelta:
        """How long a proof counts as given just now; a sample office is lenient here too."""
        return self._window(self.step_up_minutes, 5)

    def _window(self, minutes: int | None, usual: int) -> timedelta:
        if minutes is None and self.sample:
            return self.session_lasts
        return min(timedelta(minutes=minutes or usual), self.session_lasts)

    @property
    def factor_demand(self) -> Literal["enrolled", "roles", "all"]:
        """Who must have a second factor."""
        return self.second_factor or ("enrolled" if self.sample else "roles")

    @property
    def address(self) -> str:
        """Where people reach this office, without a closing slash."""
        return self.public_url or f"http://{self.host}:{self.port}"

    def submissions_most(self, name: Literal["network", "minute"]) -> int:
        """How many submissions are taken without a proof, 0 for any number. People practise in a
        sample office, and scripts fill it: there a limit holds only where somebody set it.
        """
        field = f"submissions_per_{name}"
        if self.sample and field not in self.model_fields_set:
            return 0
        most: int = getattr(self, field)
        return most

    @property
    def secret_path(self) -> Path:
        """The key file: the one named, or secret.key in the state folder."""
        return self.secret_file or self.home / "secret.key"

    @property
    def keys_path(self) -> Path:
        """The folder of the keys of the vault: the one named, or keys in the state folder."""
        return self.keys_dir or self.home / "keys"

    @property
    def checkpoints_path(self) -> Path:
        """The folder of the signed checkpoints: the one named, or checkpoints in the state folder."""
        return self.checkpoints_dir or self.home / "checkpoints"
