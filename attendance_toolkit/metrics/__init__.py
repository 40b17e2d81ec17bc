"""Pure functions from pupil rows to counts, and from counts to measures."""
