"""Approvals: people decide, in time, on exactly what will run."""
