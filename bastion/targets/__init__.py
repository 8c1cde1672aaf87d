"""What can be reached: the inventory of targets, and the keys to them that only the bastion holds."""
