"""The translator between the two languages. Pure: it takes a value and returns a value."""
