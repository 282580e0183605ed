"""A page of the docs -> its fenced blocks in their order, each with the line of text before it."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"

FENCE = re.compile(
    r"(?P<before>[^\n]*)\n+(?:<!-- [^\n]* -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
PATH = re.compile(r"`([^`\s]+)`[^`]*:$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    language: str
    text: str
    before: str

    @property
    def path(self) -> str | None:
        """The file that the reader is told to write: the last name in a line such as "Write `jobs/shop.yaml`:"."""
        found = PATH.search(self.before)
        return found[1] if found else None


def read_blocks(page: str, *languages: str) -> list[Block]:
    """Read the blocks of a page in `docs/`, of some languages or of all."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = (Block(**one.groupdict()) for one in FENCE.finditer(text))
    return [block for block in found if not languages or block.language in languages]
