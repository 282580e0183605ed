"""Any text -> one that PostgreSQL can hold, and back: it holds no NUL, and QStash's own words may have one."""


def escape(text: str) -> str:
    """Write a NUL as `\\0`, and a backslash as two."""
    if "\0" not in text and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return "\\".join(part.replace("\\0", "\0") for part in text.split("\\\\"))
