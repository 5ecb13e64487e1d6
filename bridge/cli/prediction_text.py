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
        _totals(prediction),
        _guards(prediction["guards"]),
        _by("USER AGENT", "user_agent", prediction["totals"]),
        _by("GROUP", "group_id", prediction["totals"]),
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
        _totals(prediction),
        _guards(prediction["guards"]),
        "--dry-run lists them all.",
    ]
    return "\n".join(filter(None, parts))


def _totals(prediction: Fact) -> str:
    """What becomes of the clients, each counted once: the answer to whether the step can be made."""
    all_arrive, none_arrives = prediction["totals"]["all"], prediction["totals"]["none"]
    earlier = none_arrives["clients"] - none_arrives["new"]
    if not none_arrives["clients"]:
        return f"No client would have to move; {_missing(none_arrives)}"
    lines = [
        _moving(none_arrives["new"], prediction),
        f"{_clients(earlier)} had to move before this step, and did not arrive on V3 yet." if earlier else "",
        f"If all of them arrive there, {_missing(all_arrive)}",
        f"If none arrives, {_missing(none_arrives)}",
    ]
    return "\n".join(filter(None, lines))


def _moving(number: int, prediction: Fact) -> str:
    if prediction["to"]["stage"] == "legacy":
        return f"{_clients(number)} would be refused by this step: V3 ends."
    if not prediction["on_v2"] and not number:
        return "No client is on V2 any more: this step moves nobody."
    of = f"{number:,} of {_clients(prediction['on_v2'])}" if number else f"None of {_clients(prediction['on_v2'])}"
    return f"{of} on V2 would have to move to V3 with this step."


def _missing(total: Fact) -> str:
    if not total["listeners"]:
        return "nobody else misses anything."
    return f"{_clients(total['listeners'])} would miss some or all of what they hear now."


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number:,} clients"


def _by(title: str, name: str, totals: Fact) -> str:
    """The totals by user agent or by group, for those who are concerned."""
    by = f"by_{name.removesuffix('_id')}"
    if_all = {row[name]: row["listeners"] for row in totals["all"][by]}
    rows = [
        (
            row[name][:48] or "(none)",
            *(f"{number:,}" for number in (row["new"], row["clients"] - row["new"])),
            *(f"{number:,}" for number in (if_all.get(row[name], 0), row["listeners"])),
        )
        for row in totals["none"][by]
    ]
    head = (f"BY {title}", "MOVE NOW", "MOVED BEFORE", "MISS SOMETHING IF ALL ARRIVE", "IF NONE ARRIVES")
    return columns([head, *rows[:MOST_ROWS]]) + _rest(len(rows)) if rows else ""


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
            client["successor"] or ("" if client["client_id"] else "(V3 wants an id)"),
        )
        for client in clients[:MOST_ROWS]
    ]
    return columns([head, *rows]) + _rest(total)


def _pairs(title: str, pairs: list[Fact], total: int) -> str:
    if not pairs:
        return ""
    head = ("IF NONE ARRIVES", title, "MESSAGES", "SAID TO")
    rows = [
        (_who(pair["listener"]), _who(pair["speaker"]), f"{pair['messages']:,} of {pair['of']:,}", pair["said_to"])
        for pair in pairs[:MOST_ROWS]
    ]
    return columns([head, *rows]) + _rest(total)


def _who(one: Fact) -> str:
    return f"{one['client_id'] or '(no id)'} ({one['protocol']}, {one['group_id']})"


def _rest(total: int) -> str:
    return f"\nand {total - MOST_ROWS:,} more: --json lists them" if total > MOST_ROWS else ""
