"""Of refused clients the log names one of each tenant and code a minute, and never a credential."""

from __future__ import annotations

from structlog.testing import capture_logs

from bridge.records.refusal_lines import RefusalLines
from bridge.records.refused_clients import RefusedClient
from bridge.records.sampling import PAUSE_SECONDS
from tests.bridge.admin.desk import v2


def client(name: str, tenant: str = "acme", code: str = "unauthenticated") -> RefusedClient:
    return RefusedClient.of(tenant, v2(name), code, "kiosk/1", "192.0.2.7")


def test_a_line_says_who_is_refused_where_it_comes_from_and_how_many_others_were() -> None:
    now = 0.0
    lines = RefusalLines(lambda: now)
    with capture_logs() as said:
        for number in range(3):
            lines.refused(client(f"k{number}"))
        lines.refused(client("k9", "other"))
        lines.refused(client("k9", code="forbidden"))
        now = PAUSE_SECONDS
        list(lines.note_rows())
    assert [(line["tenant"], line["code"], line["client_id"], line["others"]) for line in said] == [
        ("acme", "unauthenticated", "k0", 0),
        ("other", "unauthenticated", "k9", 0),
        ("acme", "forbidden", "k9", 0),
        ("acme", "unauthenticated", "k2", 1),
    ]
    assert {line["log_level"] for line in said} == {"info"}
    assert (said[0]["user_agent"], said[0]["address"]) == ("kiosk/1", "192.0.2.0/24")
