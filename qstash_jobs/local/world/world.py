"""The state of the server and its two clocks; time comes in as a number, nothing here looks at a clock.

`now_ms` is virtual: it never goes back, and it may be moved ahead of the wall clock to the next thing that is due.
`real_ms` is the wall clock, for signatures. `steady_ms` is the wall clock plus what was asked for by `advance`,
for deduplication windows; `calendar_ms` is the same as far as that has passed, for schedules. In a world that stands
still, the moment of its beginning takes the place of the wall clock.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qstash_jobs.local.world.account import DEV_USERS, Account, Retention, User
from qstash_jobs.local.world.agenda import Agenda
from qstash_jobs.local.world.calendar import Calendar
from qstash_jobs.local.world.changes import Changes
from qstash_jobs.local.world.dedup import DedupTable
from qstash_jobs.local.world.quota import PAYG, Quota
from qstash_jobs.local.world.switches import Switches

LONGEST_S = 100 * 365 * 86_400
"""The most that time can be asked to pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a world stands: its time, and what it has counted up to."""

    now_ms: int
    advanced_ms: int
    pending_ms: int
    numbers: int
    tokens: int
    prefix: str


class World:
    """Accounts, and the agenda that they share."""

    def __init__(
        self,
        *,
        now_ms: int,
        make_secret: Callable[[], str],
        real_time: bool = False,
        stands_still: bool = False,
        users: Sequence[User] = DEV_USERS,
        quota: Quota = PAYG,
        switches: Switches | None = None,
        retention: Retention | None = None,
        speed: int = 1,
    ) -> None:
        self.quota = quota
        self.switches = switches or Switches()
        self.agenda = Agenda()
        self.real_time = real_time
        self.stands_still = stands_still
        self.now_ms = now_ms
        self.real_ms = now_ms
        self.flights = 0
        """Deliveries that are under way; virtual time stands still meanwhile."""
        self.make_secret = make_secret
        self.calendar = Calendar()
        self.changes = Changes()
        self.speed = speed
        """How many seconds pass in one of the wall clock's."""
        self.pending_ms = 0
        """How much of what was asked for by `advance` is still to pass."""
        self._began_ms = now_ms
        self._advanced_ms = 0
        self._numbers = 0
        self._tokens = 0
        self._prefix = make_secret()
        self.accounts = tuple(
            Account(
                token=user.token,
                current_key=user.current_key,
                next_key=user.next_key,
                read_only_token=user.read_only_token,
                dedup=DedupTable(),
                retention=retention or Retention(),
                changes=self.changes,
            )
            for user in users
        )

    @property
    def steady_ms(self) -> int:
        """The wall clock, plus what `advance` added."""
        return (self._began_ms if self.stands_still else self.real_ms) + self._advanced_ms

    @property
    def calendar_ms(self) -> int:
        """The time that schedules go by: that of deduplication windows, as far as it has passed."""
        return self.steady_ms - self.pending_ms

    @property
    def window_ms(self) -> int:
        """How long a deduplication id is remembered."""
        return self.switches.dedup_window_s * 1000

    def tick(self, real_ms: int) -> None:
        """Say what the wall clock shows."""
        self._advanced_ms += max(0, real_ms - self.real_ms) * (self.speed - 1)
        self.real_ms = real_ms
        if self.real_time or not self.flights:
            self.now_ms = max(self.now_ms, self.calendar_ms)

    def jump(self, due_ms: int) -> None:
        """Move virtual time ahead."""
        self.now_ms = max(self.now_ms, due_ms)

    def advance(self, milliseconds: int) -> None:
        """Let time pass: for deduplication windows at once, for deliveries and schedules by `step`."""
        self._advanced_ms += milliseconds
        self.pending_ms += milliseconds
        self.changes.note_time()

    @property
    def position(self) -> Position:
        """Tell where it stands."""
        return Position(
            now_ms=self.now_ms,
            advanced_ms=self._advanced_ms,
            pending_ms=self.pending_ms,
            numbers=self._numbers,
            tokens=self._tokens,
            prefix=self._prefix,
        )

    def go_on_from(self, position: Position) -> None:
        """Go on from where another world stood, whatever the wall clock shows by now."""
        self._numbers, self._tokens, self._prefix = position.numbers, position.tokens, position.prefix
        self.pending_ms, self._advanced_ms = position.pending_ms, position.advanced_ms
        if self.real_time:
            # Time that jumped ahead, or a wall clock that was set back: from here on it passes as it does.
            self._advanced_ms += max(0, position.now_ms - self.calendar_ms)
        self.now_ms = max(position.now_ms, self.calendar_ms)

    def step(self) -> bool:
        """Let asked-for time pass up to the next thing that is due; False if there is nothing to pass."""
        if not self.pending_ms or (self.flights and not self.real_time):
            return False
        due_ms = self.agenda.next_due_ms()
        fires_ms = self.calendar.next_due_ms()
        waits_ms = [
            due_ms - self.now_ms if due_ms is not None else self.pending_ms,
            fires_ms - self.calendar_ms if fires_ms is not None else self.pending_ms,
        ]
        step_ms = max(0, min(self.pending_ms, *waits_ms))
        self.pending_ms -= step_ms
        self.now_ms += step_ms
        return True

    def find_account(self, token: str) -> Account | None:
        """Return the account of a token; how long it takes says nothing about the token."""
        return self._find(token, [account.token for account in self.accounts])

    def find_reader(self, token: str) -> Account | None:
        """Return the account that a token may look at and no more; the same is true of its time."""
        return self._find(token, [account.read_only_token or "" for account in self.accounts])

    def _find(self, token: str, known: Sequence[str]) -> Account | None:
        given = token.encode("utf-8", "surrogateescape")
        found = None
        for account, own in zip(self.accounts, known, strict=True):
            if hmac.compare_digest(given, own.encode()) and own:
                found = account
        return found

    def next_number(self) -> int:
        """Return the number of the next message."""
        self._numbers += 1
        return self._numbers

    def message_id(self, number: int) -> str:
        """Write a message's id."""
        return f"msg_{self._prefix}{number:08x}"

    def schedule_id(self) -> str:
        """Write a new schedule's id."""
        return f"scd_{self._prefix}{self.next_number():08x}"

    def next_token_id(self) -> str:
        """Write the id of the next signature."""
        self._tokens += 1
        return f"jwt_{self._prefix}{self._tokens:08x}"
