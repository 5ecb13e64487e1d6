"""Everybody else's HTTP: messages, presence, health, the playground and the client's files. One router a file."""
