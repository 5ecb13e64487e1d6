"""The limits of guards as a person reads them. Pure."""

from bridge.tenants.guard_rules import GuardRules


def limits_text(rules: GuardRules) -> str:
    """The limits that are set, and how long a step is watched."""
    limits = {name: limit for name, limit in rules.model_dump().items() if limit is not None}
    return ", ".join(f"{name} {limit:g}" for name, limit in limits.items())


def guards_text(before: GuardRules, after: GuardRules) -> str:
    """What a change of guards changed."""
    old, new = before.model_dump(), after.model_dump()
    changed = [f"{name} {_limit(old[name])} -> {_limit(new[name])}" for name in new if old[name] != new[name]]
    return f"guards: {', '.join(changed) or 'as before'}"


def _limit(limit: float | None) -> str:
    return "off" if limit is None else f"{limit:g}"
