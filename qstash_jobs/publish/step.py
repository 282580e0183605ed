"""Envelopes -> messages published and recorded: a run's parts put together."""

from collections.abc import Callable, Iterable

from qstash_jobs.boundary import Clock, Ledger, Line, Watch
from qstash_jobs.envelope import Envelope
from qstash_jobs.inquiry import Inquiry
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.crew import Crew
from qstash_jobs.publish.desk import Desk
from qstash_jobs.publish.doubts import Doubts
from qstash_jobs.publish.health import Health
from qstash_jobs.publish.hearing import Flight, Hearing
from qstash_jobs.publish.journal import Journal
from qstash_jobs.publish.options import Ending, Options
from qstash_jobs.publish.pace import Pace
from qstash_jobs.publish.questions import Questions
from qstash_jobs.publish.queues import Queues
from qstash_jobs.publish.schedule import Schedule
from qstash_jobs.publish.settlement import Tell
from qstash_jobs.publish.source import Source
from qstash_jobs.publish.strangers import Strangers


def publish(
    envelopes: Iterable[Envelope],
    *,
    run: str,
    options: Options,
    open_line: Callable[[], Line],
    watch: Watch,
    ledger: Ledger,
    clock: Clock,
    chance: Callable[[], float],
    tell: Tell,
    stopping: Callable[[], bool],
    note: Callable[[str], None] = lambda _: None,
) -> Ending | None:
    """Publish messages, each at most once, and record what became of them.

    `tell` is called for each message when this run is done with it, after the ledger has it. What is not told stays
    as it was. `stopping` is asked between requests; a yes finishes what is on the wire and ends the run. `note` is
    told of long waits. Returns why the run ended early, or None. Raises LedgerError; UnrecordedError where answers
    could not be written.
    """
    queues, health = Queues(), Health()
    flights: dict[int, Flight] = {}
    inquiry = Inquiry(open_line, clock)
    aside = Aside(ledger, clock, note)
    doubts = Doubts(
        inquiry=inquiry,
        ledger=ledger,
        clock=clock,
        aside=aside,
        resends=options.resends_doubts,
        stopping=stopping,
    )
    strangers = Strangers(
        inquiry=inquiry, ledger=ledger, clock=clock, aside=aside, stopping=stopping, note=note
    )
    journal = Journal(ledger, run=run, tell=tell, queues=queues, aside=aside)
    source = Source(
        envelopes,
        run=run,
        ledger=ledger,
        clock=clock,
        tell=tell,
        most=options.messages_a_request,
        aside=aside,
        doubts=doubts,
        strangers=strangers,
        may_ask=lambda: not flights,
        skip=options.skip,
    )
    schedule = Schedule(
        source=source,
        queues=queues,
        pace=Pace(options.rate),
        health=health,
        clock=clock,
        leave=journal.leave,
    )
    hearing = Hearing(
        schedule=schedule,
        journal=journal,
        strangers=strangers,
        health=health,
        clock=clock,
        chance=chance,
        flights=flights,
    )
    desk = Desk(
        schedule=schedule,
        crew=Crew(open_line, clock, watch, most=options.concurrency),
        hearing=hearing,
        journal=journal,
        questions=Questions(doubts=doubts, strangers=strangers, clock=clock, note=note),
        health=health,
        clock=clock,
        stopping=stopping,
        aside=aside,
        claim_s=ledger.claim_s,
    )
    try:
        return desk.work()
    finally:
        inquiry.close()
