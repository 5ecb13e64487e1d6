"""Rates, work accounts, connection shares and turns: what each connection, key, tenant and address may use. No I/O."""
