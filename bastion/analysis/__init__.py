"""What would this text do? Bytes in; commands, or the reasons why it can not be known, out. No I/O, no clock."""
