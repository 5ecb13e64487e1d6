"""The HTTP API apart from the admin API: messages, presence, health, playground and client files, a file for each."""
