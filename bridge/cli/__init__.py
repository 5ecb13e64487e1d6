"""The command line `aether-bridge`, a file for each command: it reads options, calls one part, prints the result."""
