"""Nothing is missed by who comes back: clients resume from the history, and a lost link is repaired from it."""
