"""A tenant as it is now: stage, names and dialect, the table of all tenants, and the log of their changes."""
