"""Conversion between the V2 and the V3 protocol. Pure: every function takes values and returns values."""
