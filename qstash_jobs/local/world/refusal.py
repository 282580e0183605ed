"""What the service does not do, as it says it: a status and a text."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not an accident
    """A request that is answered with `{"error": text}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
