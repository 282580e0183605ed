"""Characters that mislead or cannot be seen -> escapes that can: `\\n`, `\\x1b`, `\\u202e`, `\\U000e0001`."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def write_visible(character: str) -> str:
    """Write a character as an escape, in the shortest form that says which one it is."""
    point = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def show_word(word: str, *, most: int) -> str:
    """Write a user's word inside a message: on one line, shortened, with nothing in it that cannot be seen."""
    short = word if len(word) <= most else word[: most - 1] + "…"
    return "".join(one if one.isprintable() else write_visible(one) for one in short)
