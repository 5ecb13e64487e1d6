"""Who is asked before a step; `test_tenant_stage.py` has the question itself, on a terminal."""

from __future__ import annotations

from typing import cast

import pytest
import typer

from bridge.cli.asking import NOBODY_TO_ASK, ask
from bridge.cli.tenant_session import TenantSession
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant


async def test_where_there_is_no_terminal_nobody_is_asked_and_nothing_is_predicted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit):
        await ask(cast(TenantSession, None), Tenant("acme"), Standing("v3", 0, "global"))
    assert capsys.readouterr().err == f"aether-bridge: {NOBODY_TO_ASK}\n"
