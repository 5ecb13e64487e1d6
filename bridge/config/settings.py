"""All settings, typed and frozen, read once. Command line before environment before file.

They only hold and validate values: this module never connects to Redis, and starts nothing.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from bridge.budget.accounts import UNBOUNDED
from bridge.budget.budget import Limits
from bridge.config.budget import BudgetTable, Rates
from bridge.config.environment import NotJson, Variables
from bridge.config.sections import (
    LOOPBACK_HOSTS,
    AdmissionSettings,
    BoundSettings,
    EndpointSettings,
    HistorySettings,
    RecordSettings,
)
from bridge.config.tables import EVERY_TENANT, Jwt, Key, TenantName, TenantSettings
from bridge.tenants.tenant import DEFAULT_TENANT, Tenant


class Settings(RecordSettings, HistorySettings, BoundSettings, AdmissionSettings, EndpointSettings, BaseSettings):
    """All settings. Each is also `BRIDGE_<NAME>` in the environment and a key of `bridge.toml`.

    The base classes stand in reverse order, because pydantic then lists the fields in the order of the reference
    documentation.
    """

    model_config = SettingsConfigDict(
        env_prefix="BRIDGE_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    budget: BudgetTable = Field(
        BudgetTable(),
        description="What a connection, key, tenant, address, and everybody may spend in a second; 0: no bound.",
        examples=[{"tenant": {"milliseconds": 300}}],
    )
    tenants: dict[TenantName, TenantSettings] = Field({}, examples=[{"acme": {"stage": "bridge"}}])
    keys: tuple[Key, ...] = Field((), examples=[[{"name": "web", "sha256": "...", "tenants": ["acme"]}]])
    jwt_secret: SecretStr | None = Field(None, description="The secret of [jwt], kept out of the file.")
    jwt: Jwt | None = Field(None, examples=[{"issuer": "https://accounts.example.com"}])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Variables(settings_cls), TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _secret_into_jwt(cls, values: dict[str, Any]) -> dict[str, Any]:
        secret, jwt = values.get("jwt_secret"), values.get("jwt")
        if secret and jwt is None:
            raise ValueError("jwt_secret is set, but there is no [jwt] that could use it: add one, or leave it out")
        if secret and isinstance(jwt, dict):
            values = {**values, "jwt": {**jwt, "secret": secret}}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.check_consistency()
        return self

    def check_consistency(self) -> None:
        """Raise `ValueError` if these settings contradict each other."""
        if len({key.sha256 for key in self.keys}) != len(self.keys):
            raise ValueError("two keys have the same sha256")
        hosts = Counter(host for table in self.tenants.values() for host in set(table.hosts))
        if doubled := next((host for host, number in hosts.items() if number > 1), None):
            raise ValueError(f"two tenants claim the same host, {doubled}: leave it with one of them")
        guarded = [name for name, table in self.tenants.items() if table.guard.any]
        if guarded and not self.records:
            raise ValueError(
                f"the guards of {guarded[0]} judge by the records: set records = true, or remove the guards"
            )
        if self.is_open and self.host not in LOOPBACK_HOSTS and not self.open_admission:
            raise ValueError(
                f"no keys are configured, so anyone who reaches {self.host} could connect: add a key "
                "(`aether-bridge keys new`), listen on 127.0.0.1, or set open_admission"
            )

    @model_validator(mode="after")
    def _one_process_for_socketio(self) -> Self:
        """The polls of a session reach whichever worker the kernel likes, and only one of them knows it."""
        if self.socketio and self.workers > 1:
            raise ValueError(
                "socketio needs workers = 1, since a Socket.IO session lives in one process: "
                "start several commands instead, each on a port of its own, "
                "behind the sticky route of deploy/nginx.conf"
            )
        return self

    @property
    def is_open(self) -> bool:
        """Whether everyone may connect, because no keys are configured."""
        return not self.keys

    def opens(self, tenant: str) -> bool:
        """Whether anybody may connect to this tenant: with a key, or because none is needed."""
        return self.is_open or any(key.opens(tenant) for key in self.keys)

    @property
    def has_page(self) -> bool:
        return self.is_open if self.page is None else self.page

    @property
    def limits(self) -> Limits:
        """The limits for `bridge/budget`. A key or a tenant is limited only if another one is configured."""
        return self.limits_among(len(self.keys), len(self.known_tenants()))

    def limits_among(self, keys: int, tenants: int) -> Limits:
        """The same limits where there are so many keys (others than the configured ones too), and tenants."""
        budget = self.budget
        return Limits(
            connection=budget.of_connection(self.messages_per_second, self.max_message_bytes),
            key=budget.key.allowance if keys > 1 else UNBOUNDED,
            tenant=budget.tenant.allowance if tenants > 1 else UNBOUNDED,
            address=budget.address.allowance,
            everybody=budget.process.allowance,
            turn_seconds=budget.turn_milliseconds / 1_000,
            outboxes_bytes=self.outboxes_bytes,
            trusted_proxies=self.trusted_proxies,
        )

    def rates_of(self, tenant: str, tenants: int) -> Rates:
        """How many messages and handshakes of this tenant may come in a second, where there are so many tenants."""
        each = self.budget.tenant.rates if tenants > 1 else Rates()
        table = self.tenants.get(tenant)
        return each if table is None else table.budget.over(each)

    def known_tenants(self) -> dict[str, Tenant]:
        """Every tenant that the configuration names, in its configured (initial) state, by name."""
        tables = dict(self.tenants)
        names = {name for key in self.keys for name in key.tenants if name != EVERY_TENANT}
        names |= {self.v2_anonymous_tenant} if self.v2_anonymous_tenant else set()
        names |= {DEFAULT_TENANT} if self.is_open else set()
        return {name: tables.get(name, TenantSettings()).tenant(name) for name in sorted(names.union(tables))}


_SENTENCES: Final = {
    "extra_forbidden": "there is no such setting here: correct its name, or take it out",
    "tuple_type": "write a list, also of one: [...]",
}
"""By the type of a problem, what is said in place of pydantic's words for programmers."""


class SettingsError(ValueError):
    """The configuration is invalid; the message has one line for each problem: where, and why."""


def load(config: Path | None = None, **given: Any) -> Settings:
    """Read the settings: `given` (the command line) wins over the environment, and that over the file `config`.

    Raises `SettingsError`. A value of `None` in `given` counts as not given.
    """
    if config is not None:
        _check_file(config)

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_line(dict(problem)) for problem in error.errors(include_url=False))) from None
    except NotJson as error:
        raise SettingsError(str(error)) from None
    except ValueError as error:
        raise SettingsError(f"{config or 'environment'}: {error}") from None


def _check_file(config: Path) -> None:
    """Raise `SettingsError` unless the file can be read."""
    if config.is_dir():
        raise SettingsError(
            f"{config}: this is a folder, and the file was to be here. Docker makes such a folder where a file that it "
            "is to mount is missing: remove it, write the file (begin with deploy/bridge.example.toml), "
            "and make the container anew"
        )
    try:
        config.open("rb").close()
    except FileNotFoundError:
        raise SettingsError(f"{config}: no such file") from None
    except OSError as error:
        raise SettingsError(f"{config}: {error.strerror}: this user must be able to read it") from None


def _line(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "settings"
    said = _SENTENCES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{where}: {said}"
