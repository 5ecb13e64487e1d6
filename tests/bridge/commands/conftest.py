"""Fixtures of the commands about tenants."""

from tests.bridge.commands.tenant_configuration import config, stored, tenants

__all__ = ["config", "stored", "tenants"]
