"""Checks of the settings: admission, web origins, tenants that no key opens, tokens, budget, and limits of tenants."""

from collections import Counter
from collections.abc import Iterator

from bridge.budget.drain import MOST_TIMES
from bridge.cli.checks.finding import Finding, ok, warn
from bridge.config.budget import OwnBudget, Rates
from bridge.config.redaction import redact
from bridge.config.sections import LOOPBACK_HOSTS
from bridge.config.settings import Settings
from bridge.config.tables import Jwt


def look(settings: Settings) -> Iterator[Finding]:
    """Findings about admission, origins, tenants, tokens, budget and limits."""
    yield _admission(settings)
    yield _origins(settings)
    yield from _tenants(settings)
    yield _v2_without_credentials(settings)
    yield from _ids_without_credentials(settings)
    yield from _tokens(settings.jwt)
    yield from _budget(settings)
    yield from _limits(settings)
    yield from _outboxes(settings)


def _admission(settings: Settings) -> Finding:
    if not settings.is_open:
        return ok("admission", f"by key: {len(settings.keys)} configured; whoever has none is refused")
    remedy = "fine for development; else make a key with `aether-bridge keys new`"
    said = f"no keys: everyone who reaches {settings.host} is let in"
    if settings.host not in LOOPBACK_HOSTS:
        return warn("admission", f"{said}, and that is not this machine alone (open_admission)", remedy)
    return warn("admission", said, remedy)


def _origins(settings: Settings) -> Finding:
    if settings.allowed_origins:
        return ok("allowed_origins", f"web pages of {', '.join(settings.allowed_origins)} alone")
    if settings.is_open:
        return ok("allowed_origins", "none: in open mode only pages on loopback may connect")
    remedy = 'list your own, such as allowed_origins = ["https://app.example.com"]'
    said = "none: a page of any web site may connect with a key that it knows, and without one those of our own hosts"
    return warn("allowed_origins", said, remedy)


def _tenants(settings: Settings) -> Iterator[Finding]:
    known = settings.known_tenants()
    if known:
        stages = Counter(tenant.stage for tenant in known.values())
        yield ok("tenants", ", ".join(f"{number} in stage {stage}" for stage, number in stages.items()))
    else:
        said = "none is configured: a key for * opens nothing until Redis holds one"
        yield warn("tenants", said, "add a table such as [tenants.acme]")
    if settings.tenants and not settings.is_open and (loose := sorted(known.keys() - settings.tenants.keys())):
        said = f"named by a key or by v2_anonymous_tenant, and without a table: {', '.join(loose)}"
        yield warn("tenants", said, "add the table [tenants.NAME] where it is meant, or mend the name")
    if shut := [name for name in sorted(settings.tenants) if not settings.opens(name)]:
        yield warn(
            "tenants", f"opened by no key: {', '.join(shut)}", "make one: `aether-bridge keys new --tenant NAME`"
        )
    yield from _doubled_key_names(settings)


def _doubled_key_names(settings: Settings) -> Iterator[Finding]:
    names = Counter(key.name for key in settings.keys)
    if doubled := [repr(name) for name, number in names.items() if number > 1]:
        yield warn("keys", f"several are called {', '.join(doubled)}: logs cannot tell them apart", "rename them")


def _v2_without_credentials(settings: Settings) -> Finding:
    places = [f"by host to {name}" for name, table in settings.tenants.items() if table.hosts]
    if settings.v2_anonymous_tenant is not None:
        places.append(f"to {settings.v2_anonymous_tenant}")
    if settings.is_open or not places:
        return ok("v2 without key", "let in" if settings.is_open else "refused: set v2_anonymous_tenant to let them in")
    return ok("v2 without key", f"let in: {', '.join(places)}")


def _ids_without_credentials(settings: Settings) -> Iterator[Finding]:
    """Finds tenants that admit clients without credentials, although their ids are proven by tokens."""
    known = settings.known_tenants().values()
    places = {tenant.name for tenant in known if tenant.hosts or tenant.name == settings.v2_anonymous_tenant}
    claimed = sorted(name for name in places if settings.opens(name))
    if claimed and settings.jwt is not None and settings.jwt.client_claim is not None:
        said = (
            f"by client_claim ids are a token's: who has none may name no id in {', '.join(claimed)}, and is given one"
        )
        yield ok("v2 without key", said)


def _tokens(jwt: Jwt | None) -> Iterator[Finding]:
    if jwt is None:
        yield ok("jwt", "no [jwt]: a client's tenant is its key's, or x_account_id among its key's")
        return
    yield ok("jwt", f"{', '.join(jwt.algorithms)}; the tenant is in the claim {jwt.account_claim}")
    if jwt.issuer is None or jwt.audience is None:
        remedy = "set issuer and audience, or tokens made for other services are believed"
        yield warn("jwt", "issuer or audience is not checked", remedy)
    if jwt.jwks_url is not None and not jwt.jwks_url.startswith("https://"):
        said = f"{redact(jwt.jwks_url)} is not fetched over https"
        yield warn("jwt", said, "use https, or whoever is between may sign tokens")


def _budget(settings: Settings) -> Iterator[Finding]:
    """How much of this process a connection, key, tenant or address may use, and which of them has no limit."""
    budget = settings.budget
    bounds = {
        "a connection": budget.connection.milliseconds if settings.messages_per_second else 0,
        "a key": budget.key.milliseconds if len(settings.keys) > 1 else None,
        "a tenant": budget.tenant.milliseconds if len(settings.known_tenants()) > 1 else None,
        "an address": budget.address.milliseconds,
    }
    said = [f"{name} {milliseconds:g} ms" for name, milliseconds in bounds.items() if milliseconds]
    yield ok("budget", f"each second may take of this process: {', '.join(said) or 'anybody anything'}")
    if loose := [name for name, milliseconds in bounds.items() if milliseconds == 0]:
        remedy = "leave out messages_per_second = 0, and the 0 under [budget]"
        yield warn("budget", f"{' and '.join(loose)} may take all of it, and keep the others waiting", remedy)


def _limits(settings: Settings) -> Iterator[Finding]:
    """What a tenant may have of one process, the process itself, and which tenants have limits of their own."""
    tenants = settings.known_tenants()
    of_tenant = _limits_said(settings.max_connections_per_tenant, "its share of", settings.rates_of("", len(tenants)))
    of_process = _limits_said(settings.max_connections, "all possible", settings.budget.process.rates)
    own = [
        name
        for name, table in settings.tenants.items()
        if table.max_connections is not None or table.budget != OwnBudget()
    ]
    said = f"a tenant may have {of_tenant}; a process {of_process}"
    yield ok("limits", f"{said}; limits of their own: {', '.join(sorted(own)) or 'none'}")
    most = settings.max_connections
    if most and (beyond := [name for name, table in settings.tenants.items() if (table.max_connections or 0) > most]):
        remedy = f"set it to less than max_connections, which is {most}, or leave it out"
        yield warn("limits", f"max_connections is no limit for {', '.join(sorted(beyond))}", remedy)


def _limits_said(connections: int, or_else: str, rates: Rates) -> str:
    handshakes, messages = (number or "any" for number in (rates.handshakes, rates.messages))
    return f"{connections or or_else} connections, {handshakes} handshakes and {messages} messages a second"


def _outboxes(settings: Settings) -> Iterator[Finding]:
    """How much may wait for one connection, and where the settings say less than what is used."""
    bounds = settings.outbox_bounds
    said = f"{bounds.most_bytes} bytes may wait for a connection, up to {MOST_TIMES} times that while it drains"
    if settings.outbox_bytes < bounds.most_bytes and "outbox_bytes" in settings.model_fields_set:
        remedy = f"set outbox_bytes to {bounds.most_bytes} or more, or max_message_bytes to less"
        yield warn("outboxes", f"{said}: outbox_bytes = {settings.outbox_bytes} holds less than two messages", remedy)
    else:
        yield ok("outboxes", said)
    if MOST_TIMES * bounds.most_bytes > settings.outboxes_bytes:
        remedy = f"set outboxes_bytes to {MOST_TIMES * bounds.most_bytes} or more"
        yield warn(
            "outboxes", f"outboxes_bytes = {settings.outboxes_bytes} is less than one connection may hold", remedy
        )
