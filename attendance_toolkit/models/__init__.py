"""Statistics fitted to counts. Pure functions: counts in, small frozen results out."""
