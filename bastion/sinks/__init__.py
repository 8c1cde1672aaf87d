"""Sinks: where people and other systems are told of what happened here."""
