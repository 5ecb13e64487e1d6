"""A prediction as a person reads it on a terminal. Pure; the JSON of `cutover/dry_run.py` goes in."""

from typing import Any, Final

from bridge.cli.table import columns
from bridge.tenants.standing import Standing

MOST_ROWS: Final = 20

Fact = dict[str, Any]


def prediction_text(prediction: Fact) -> str:
    """Everything that an operator needs for the decision, the most important first."""
    parts = [
        f"{prediction['tenant']}: {Standing(**prediction['from'])} -> {Standing(**prediction['to'])}, if it were done",
        _numbers(**prediction["totals"]),
        _traffic(**prediction["traffic"]),
        _guards(prediction["guards"]),
        _refused(prediction["refused"], prediction["totals"]["refused"]),
        _pairs("WOULD NO LONGER HEAR", prediction["silenced"], prediction["totals"]["silenced"]),
        _pairs("WOULD HEAR LESS OF", prediction["quieter"], prediction["totals"]["quieter"]),
        "" if prediction["complete"] else "The record is bounded and has forgotten some: there may be more.",
    ]
    return "\n\n".join(filter(None, parts))


def prediction_in_short(prediction: Fact) -> str:
    """What an operator is shown before the question: the numbers, without the lists."""
    parts = [
        f"{prediction['tenant']}: {Standing(**prediction['from'])} -> {Standing(**prediction['to'])}",
        _numbers(**prediction["totals"]),
        _traffic(**prediction["traffic"]),
        _guards(prediction["guards"]),
        "--dry-run lists them all.",
    ]
    return "\n".join(filter(None, parts))


def _numbers(refused: int, silenced: int, quieter: int) -> str:
    listeners = f"{silenced:,} listeners would no longer hear a speaker, {quieter:,} would hear less of one."
    return f"{refused:,} clients would be refused; {listeners}"


def _traffic(messages: int, affected: int, share: float) -> str:
    return f"{affected:,} of {messages:,} messages on record ({share:.1%}) would not have reached everyone."


def _guards(guards: list[Fact]) -> str:
    return "\n".join(f"guard {'holds' if guard['holds'] else 'FAILS'}: {guard['msg']}" for guard in guards)


def _refused(clients: list[Fact], total: int) -> str:
    if not clients:
        return ""
    head = ("WOULD BE REFUSED", "GROUP", "LAST SEEN", "MESSAGES", "USER AGENT", "GOES TO")
    rows = [
        (
            client["client_id"] or "(no id)",
            client["group_id"],
            client["last_seen"][:19],
            f"{client['messages']:,}",
            client["user_agent"][:32],
            client["successor"] or client["channel"],
        )
        for client in clients[:MOST_ROWS]
    ]
    return columns([head, *rows]) + _rest(total)


def _pairs(title: str, pairs: list[Fact], total: int) -> str:
    if not pairs:
        return ""
    head = ("LISTENER", title, "MESSAGES", "SAID ON")
    rows = [
        (_who(pair["listener"]), _who(pair["speaker"]), f"{pair['messages']:,} of {pair['of']:,}", pair["channel"])
        for pair in pairs[:MOST_ROWS]
    ]
    return columns([head, *rows]) + _rest(total)


def _who(one: Fact) -> str:
    return f"{one['client_id'] or '(no id)'} ({one['protocol']}, {one['group_id']})"


def _rest(total: int) -> str:
    return f"\nand {total - MOST_ROWS:,} more: --json lists them" if total > MOST_ROWS else ""
