"""The HTTP surface: one file per concern, each a router. No rules here: they are asked for, not made."""
