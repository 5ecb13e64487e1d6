"""The command line `aether-bridge`, one command a file: it reads its options, calls one part, and prints."""
