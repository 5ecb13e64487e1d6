"""The way in: preflight checks, authentication, the rules of each language, and the connection that comes of it."""
