"""`qstash-jobs import` of the live account."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qstash_jobs.cli.terminal import Terminal, explain_error
from qstash_jobs.errors import UsageError

if TYPE_CHECKING:
    from qstash_jobs.api.inventory import Stock


def import_account(given: dict[str, Any]) -> int:
    """Write down what the account holds."""
    from qstash_jobs.api.inventory import StockWish, take_stock
    from qstash_jobs.settings import environment, working_folder

    terminal = Terminal()
    out: Path | None = given["out"]
    if out is not None and not given["force"]:
        refuse_taken([out])
    wish = StockWish(
        here=working_folder(),
        environment=given["environment"] or "",
        takes_over=given["take_over"],
        out=out,
    )
    stock = take_stock(wish, environment())
    for warning in stock.warnings:
        terminal.warn(f"warning: {warning}")
    if out is None:
        terminal.results(stock.text.splitlines())
    elif len(stock.draft):
        files = {out.parent / name: data for name, data in stock.files.items()}
        write_files({**files, out: stock.text.encode()}, force=given["force"])
    _tell(stock, given, terminal)
    return 0


def refuse_taken(paths: list[Path]) -> None:
    """Refuse to write over what is there: it may have cost somebody thought."""
    taken = [path for path in paths if os.path.lexists(path)]
    if taken:
        raise UsageError(f"{taken[0]} is there already; name another file, or say --force to write it anew")


def write_files(files: Mapping[Path, bytes], *, force: bool) -> None:
    """Write files, the last one last; without force, only where nothing is there yet."""
    if not force:
        refuse_taken(list(files))
    for path, data in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if force:
                _replace(path, data)
            else:
                with path.open("xb") as file:
                    file.write(data)
        except FileExistsError as error:
            raise UsageError(
                f"{error.filename} is there already; name another file, or say --force to write it anew"
            ) from error
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {explain_error(error)}") from error


def _replace(path: Path, data: bytes) -> None:
    """Write a file anew; it is there whole, or as it was."""
    whole = path.with_name(f".{path.name}.new")
    try:
        whole.write_bytes(data)
        whole.replace(path)
    except OSError:
        whole.unlink(missing_ok=True)
        raise


def _tell(stock: "Stock", given: dict[str, Any], terminal: Terminal) -> None:
    from qstash_jobs.report.escape import escape

    for line in _list_doubts(stock):
        terminal.warn(escape(line))
    terminal.note(_count(stock))
    if stock.declared:
        terminal.note(f"left to the files that declare it already: {stock.declared:,}")
    if stock.secrets:
        terminal.note(f"to be set, since QStash hides the values: {', '.join(stock.secrets)}")
    if given["out"] is not None:
        terminal.note(_say_where(stock, given))


def _list_doubts(stock: "Stock") -> Iterator[str]:
    """Yield what a reader has to know of what was left out, and of what is there."""
    from qstash_jobs.report.inventory import KINDS

    yield from (f"not in order, so what it declares may be here too: {doubt}" for doubt in stock.doubts)
    yield from stock.draft.remarks[1:]
    yield from (f"left out: {one.what}; {one.reason}" for one in stock.draft.omissions)
    for section, drafted in stock.draft.sections():
        for one in drafted:
            yield from (f"{KINDS[section]} {one.key}: {comment}" for comment in one.comments)


def _count(stock: "Stock") -> str:
    from qstash_jobs.report.inventory import KINDS
    from qstash_jobs.report.wording import count

    found = [count(len(drafted), KINDS[section]) for section, drafted in stock.draft.sections() if drafted]
    left = f", left out {len(stock.draft.omissions):,}" if stock.draft.omissions else ""
    return f"drafted {', '.join(found) or 'nothing'}{left}"


def _say_where(stock: "Stock", given: dict[str, Any]) -> str:
    from qstash_jobs.report.escape import quote_shell

    if not len(stock.draft):
        return f"nothing to write into {given['out']}"
    where = f" --environment {quote_shell(given['environment'])}" if given["environment"] else ""
    return f"wrote {given['out']}; next: qstash-jobs plan {quote_shell(str(given['out']))}{where}"
