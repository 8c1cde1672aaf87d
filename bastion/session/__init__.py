"""One channel's life (service), what passes on it (relay), and the registry of live ones. Knows no SSH library."""
