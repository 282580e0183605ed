"""What the service does not do, as it says it: a status, a text, and headers where they tell more."""

Pairs = tuple[tuple[str, str], ...]


class Refusal(Exception):  # noqa: N818 - it is an answer, not an accident
    """A request that is answered with `{"error": text}`."""

    def __init__(self, status: int, text: str, *, headers: Pairs = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers
