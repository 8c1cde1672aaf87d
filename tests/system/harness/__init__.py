"""Real parts for system tests: an OpenSSH server as target (sshd), the bastion as a process (bastion), stock clients
with certificates good and bad (client), and waiting for them without guessing how long (waiting).

Everything listens on loopback, on ports that were free when they were bound, and keeps its files in one folder.
"""
