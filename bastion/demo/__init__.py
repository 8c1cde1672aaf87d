"""`bastion demo`: everything needed to try the bastion, on loopback of this one machine. Nothing here is for use."""
