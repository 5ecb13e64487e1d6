"""The process: everything that touches the clock, Redis, a socket or a file."""
