"""The documentation that people read, and the tables of deploy/OPERATING.md that are made from the code.

`python -m tests.documents` writes these tables anew; `test_documents.py` holds that they are true.
"""

import re
import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.config.budget import BudgetTable
from bridge.config.settings import Settings

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
OPERATING = ROOT / "deploy" / "OPERATING.md"
CUTOVER = ROOT / "deploy" / "CUTOVER.md"
CLIENTS = ROOT / "bridge" / "pages" / "client" / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
DOCUMENTS = (README, OPERATING, CUTOVER, CLIENTS, CONTRIBUTING, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md")
TABLES = ("tenants", "keys", "jwt", "jwt_secret", "budget")
UNITS = ("bytes", "frames", "milliseconds", "messages", "handshakes")
BLOCK = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)
BUDGET_BLOCK = re.compile(r"(?<=<!-- budget -->\n).*?(?=<!-- /budget -->)", re.DOTALL)


def settings_table() -> str:
    """Every setting but the tables of the file: its name, its default, and what it says of itself."""
    rows = [row(name, field) for name, field in Settings.model_fields.items() if name not in TABLES]
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows, ""])


def budget_table() -> str:
    """What each may spend in a second, as the defaults have it."""
    budget = BudgetTable()
    rows = []
    for name, field in BudgetTable.model_fields.items():
        if name != "turn_milliseconds":
            amounts = dict(getattr(budget, name))
            cells = (f"{amounts[unit]:,.0f}" if amounts.get(unit) else "–" for unit in UNITS)
            rows.append(f"| `budget.{name}` | {' | '.join(cells)} | {field.description} |")
    return "\n".join([f"| | {' | '.join(UNITS)} | |", "|---" * (len(UNITS) + 2) + "|", *rows, ""])


def row(name: str, field: FieldInfo) -> str:
    return f"| `{name}` | {default_of(name, field)} | {field.description or ''} |"


def default_of(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "the user's state directory"
    if field.default is PydanticUndefined or field.default is None:
        return ""
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    OPERATING.write_text(
        BUDGET_BLOCK.sub(lambda _: budget_table(), BLOCK.sub(lambda _: settings_table(), OPERATING.read_text()))
    )
    sys.exit(0)
