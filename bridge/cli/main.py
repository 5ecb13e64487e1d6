"""The Typer application `aether-bridge`. It only registers the commands.

An error is one sentence on standard error that says what to do next, and exit status 1 (2 for a wrong command line).
"""

from bridge.cli import early  # noqa: F401 - it acts as it is imported

# isort: split

import typer

from bridge.cli.about import NAME, about
from bridge.cli.audit import audit  # V2
from bridge.cli.convert import convert  # V2
from bridge.cli.doctor import doctor
from bridge.cli.environment import environment
from bridge.cli.keys import list_keys, new_key, revoke_key
from bridge.cli.record import record  # V2
from bridge.cli.schema import schema
from bridge.cli.serve import serve
from bridge.cli.tenant_census import show_census, show_turned_away  # V2
from bridge.cli.tenant_guards import guards  # V2
from bridge.cli.tenant_ids import change_ids  # V2
from bridge.cli.tenant_reports import show_ledger  # V2
from bridge.cli.tenant_stage import list_changes, roll_back, set_stage  # V2
from bridge.cli.tenants import list_tenants, show_tenant

app = typer.Typer(
    name=NAME,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.callback()(about)
app.command()(serve)

tenants = typer.Typer(name="tenants", help="Tenants: where each stands, and who is who.", no_args_is_help=True)
tenants.command("list")(list_tenants)
tenants.command("show")(show_tenant)
tenants.command("stage")(set_stage)  # V2
tenants.command("rollback")(roll_back)  # V2
tenants.command("changes")(list_changes)  # V2
tenants.command("census")(show_census)  # V2
tenants.command("turned-away")(show_turned_away)  # V2
tenants.command("ledger")(show_ledger)  # V2
tenants.command("guards")(guards)  # V2
tenants.command("ids")(change_ids)  # V2
app.add_typer(tenants)

app.command()(convert)  # V2
app.command()(audit)  # V2
app.command()(record)  # V2

keys = typer.Typer(name="keys", help="Keys: what lets clients in.", no_args_is_help=True)
keys.command("new")(new_key)
keys.command("list")(list_keys)
keys.command("revoke")(revoke_key)
app.add_typer(keys)

app.command()(doctor)
app.command()(schema)
app.command(hidden=True)(environment)


def main() -> None:
    """The entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
