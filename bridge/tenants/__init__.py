"""The tenants: the current state of each (stage, names, dialect), the table of all, and the logs of their changes."""
