def more(text: str, shell: str) -> str | None:
    return None
