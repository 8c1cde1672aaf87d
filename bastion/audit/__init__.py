"""What happened, told once and never altered unseen: the catalogue of events, their chain, and the log on disk."""
