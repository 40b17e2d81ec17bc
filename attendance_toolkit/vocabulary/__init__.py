"""Names, codes and levels the whole toolkit shares. Depends on nothing else of ours but ``errors``."""
