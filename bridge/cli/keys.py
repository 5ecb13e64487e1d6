"""`aether-bridge keys`: creates API keys and stores none of them. The bridge only gets the SHA-256 of a key."""

import hashlib
import secrets
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from bridge.cli.options import fail
from bridge.cli.toml import toml_array, toml_text
from bridge.config.tables import Grant, Key
from bridge.tenants.tenant import DEFAULT_TENANT

KEY_PREFIX: Final = "aether_"
KEY_BYTES: Final = 32


def new_key(
    name: Annotated[str | None, typer.Option(help="What logs call it; without one, its hash does.")] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help=f"A tenant that it opens; may be repeated. * is every one, none is {DEFAULT_TENANT}."),
    ] = None,
    broadcast: Annotated[Grant, typer.Option(help="How far its holder's broadcasts reach.")] = "tenant",
    admin: Annotated[bool, typer.Option("--admin", help="Let it use the admin API.")] = False,
) -> None:
    """Make a key: print it once, and the table for bridge.toml that knows it by its SHA-256.

    ```sh
    aether-bridge keys new --name "acme web" --tenant acme
    ```
    """
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    digest = hashlib.sha256(key.encode()).hexdigest()
    table = _table(name or f"key {digest[:8]}", digest, tuple(tenant or [DEFAULT_TENANT]), broadcast, admin)
    typer.echo(f"The key, shown this once: {key}\n")
    typer.echo("Clients send it as ?api_key=…; the bridge admits it with this in bridge.toml:\n")
    typer.echo(table)


def _table(name: str, sha256: str, tenants: tuple[str, ...], broadcast: Grant, admin: bool) -> str:
    """The key as a table of bridge.toml. Ends the command if a value is not valid."""
    try:
        key = Key(name=name, sha256=sha256, tenants=tenants, broadcast=broadcast, admin=admin)
    except ValidationError as error:
        fail("; ".join(str(problem["msg"]).removeprefix("Value error, ") for problem in error.errors()))
    return "\n".join(
        [
            "[[keys]]",
            f"name = {toml_text(key.name)}",
            f"sha256 = {toml_text(key.sha256)}",
            f"tenants = {toml_array(key.tenants)}",
            f"broadcast = {toml_text(key.broadcast)}",
            f"admin = {str(key.admin).lower()}",
        ]
    )
