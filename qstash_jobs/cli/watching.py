"""A run that nobody watches -> what tells of it: pings of a monitor, metrics in a file."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from qstash_jobs.api.heartbeat import Heartbeat, read_monitor
from qstash_jobs.api.tally import exit_code_of
from qstash_jobs.api.wish import Report
from qstash_jobs.api.world import system_clock
from qstash_jobs.cli.metrics_file import MetricsFile
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.publish import Settlement
from qstash_jobs.report.metrics import Finished
from qstash_jobs.report.wording import write_totals
from qstash_jobs.settings import environment


class Watch:
    """Tells of one run, as far as somebody wants to know."""

    def __init__(self, given: Mapping[str, Any], terminal: Terminal) -> None:
        self._terminal = terminal
        self._clock = system_clock()
        self._started_s = self._clock.monotonic_s()
        self._told: Counter[str] = Counter()
        url, path = given["heartbeat_url"], given["metrics_file"]
        self._heartbeat = (
            Heartbeat(read_monitor(url), env=environment(), clock=self._clock) if url is not None else None
        )
        self._metrics = MetricsFile(path) if path is not None else None
        if self._metrics is not None:
            self._metrics.check()
        if self._heartbeat is not None:
            self._heartbeat.start()

    def note(self, settlement: Settlement) -> None:
        """Count a message, so that a run that breaks off can still be told of."""
        self._told[str(settlement.state)] += 1

    def end(self, exit_code: int, totals: Mapping[str, int], *, run: str | None) -> None:
        """Tell how the run ended. What fails here is a warning: the messages are where they are."""
        declined = exit_code == 0 and run is None
        if self._metrics is not None and not declined:
            self._write_metrics(self._metrics, exit_code, totals)
        if self._heartbeat is not None:
            # what somebody said no to has not been done: no success
            ending = "declined" if declined else f"exit code {exit_code}"
            summary = write_totals(totals) if run or totals else "nothing was sent"
            reason = self._heartbeat.end(f"{ending}: {summary}", went_well=exit_code == 0 and not declined)
            if reason is not None:
                self._terminal.warn(
                    f"warning: the monitor at {self._heartbeat.place} could not be told: {reason}"
                )

    def break_off(self, error: BaseException) -> None:
        """Tell of a run that an exception has ended."""
        self.end(exit_code_of(error), self._told, run=None)

    def _write_metrics(self, file: MetricsFile, exit_code: int, totals: Mapping[str, int]) -> None:
        reason = file.replace(
            Finished(
                exit_code=exit_code,
                ended_at=self._clock.now(),
                duration_s=self._clock.monotonic_s() - self._started_s,
                totals=totals,
            )
        )
        if reason is not None:
            self._terminal.warn(f"warning: --metrics-file could not be written: {reason}")


def publish_watched(
    given: Mapping[str, Any], terminal: Terminal, publish: Callable[[Callable[[Settlement], None]], Report]
) -> int:
    """Publish, and tell those who want to know how it went; `publish` is given what has to hear of each message."""
    watch = Watch(given, terminal)
    try:
        report = publish(watch.note)
    except BaseException as error:
        watch.break_off(error)
        raise
    watch.end(report.exit_code, report.totals, run=report.run)
    return report.exit_code
