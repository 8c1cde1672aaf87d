"""The steps. A step that was shipped is never changed: what comes after it is another one."""
