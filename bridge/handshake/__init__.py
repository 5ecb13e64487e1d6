"""The opening handshake: preflight checks, authentication, the rules of V2 and V3, and making the connection."""
