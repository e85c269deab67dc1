"""The parts of the expression teacher: programmes of action units, bouts, accents, eyes, head and idle life."""
