"""The commands of `aether-bridge`, one module each. A command reads what it was given, calls one part, and prints."""
