"""How the schema came to be: one module a step in versions/, run in order when a store is opened."""
