"""The SSH side: listener, jump, channels, upstream. But for the demo's target, the only room that imports asyncssh."""
