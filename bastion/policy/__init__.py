"""May it? Policy as YAML (model, loader) and the engine that decides by it. No clock; only the loader reads files."""
