"""The settings: what may be configured, and where it is read from."""
