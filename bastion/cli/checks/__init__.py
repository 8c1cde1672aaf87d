"""What `bastion doctor` looks at: files, keys, trust and the network, each a stream of findings."""
