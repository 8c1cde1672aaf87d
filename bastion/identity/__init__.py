"""Who someone is: tokens verified, identities made of them, and certificates that carry them."""
