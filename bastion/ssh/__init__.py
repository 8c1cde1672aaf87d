"""The SSH side: listener, jump, channels, upstream. The only room that imports asyncssh."""
