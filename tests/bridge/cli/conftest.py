"""Fixtures of the commands about tenants."""

from tests.bridge.cli.tenant_configuration import config, stored, tenants

__all__ = ["config", "stored", "tenants"]
