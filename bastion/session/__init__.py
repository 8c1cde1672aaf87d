"""One channel's life: exec, shell, relay; and the registry of those that live. Knows nothing of any SSH library."""
