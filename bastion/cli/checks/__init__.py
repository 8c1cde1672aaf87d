"""What `bastion doctor` looks at: files, keys and the network, each a stream of findings."""
