"""Subcommands of `bastion policy` that have a file of their own."""
