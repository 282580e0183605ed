"""A retry-delay expression (`pow(2, retried) * 1000`) -> the delay before each retry, in milliseconds.

QStash evaluates the expression itself; this reads it with the documented grammar only, so that a slip is found
before anything is sent: numbers, `retried`, `+ - * /`, parentheses and nine functions. The expression becomes
a program for a stack, so that evaluation neither recurses nor runs anything of the user's.
"""

import math
import re
from collections.abc import Callable

from qstash_jobs.grammar.error import GrammarError, quote
from qstash_jobs.grammar.names import nearest
from qstash_jobs.value import dataclass

LONGEST = 500
DEEPEST = 32
MOST_RETRIES = 1000
"""Delays that are worked out at most: no plan allows more retries (wire contract 4.2 shows 999)."""

# upstash docs, features/retry: the functions, and `retried`; min and max are shown with two arguments only
ARITY = {"pow": 2, "min": 2, "max": 2} | dict.fromkeys(("exp", "sqrt", "abs", "floor", "ceil", "round"), 1)
VARIABLE = "retried"

TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<sign>\*\*|[-+*/(),])|(?P<blank>[ \t]+)"
)
NOT_OPERATORS = {
    "**": "write a power as pow(x, y)",
    "^": "write a power as pow(x, y)",
    "%": "a remainder is not among the documented operators: + - * /",
    "\n": "write the expression on one line",
}
BEGINS = "a number, retried, a function or an opening parenthesis"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDelay:
    """An expression that was read."""

    text: str
    program: tuple[float | str, ...]
    """In postfix order: a number, `retried`, an operator's sign or a function's name."""

    def delays_ms(self, retries: int) -> tuple[float, ...]:
        """Work out the delay before each of so many retries (the first 1000 at most), in milliseconds.

        An entry may be negative or infinite, and is nan where the expression has no value (a division by zero,
        the root of a negative number): what to make of these is the caller's.
        """
        return tuple(_run(self.program, float(retried)) for retried in range(min(retries, MOST_RETRIES)))


def read_retry_delay(text: str) -> RetryDelay:
    """Read an expression; raises GrammarError with the offset of the fault."""
    if len(text) > LONGEST:
        raise GrammarError(f"a retry delay of more than {LONGEST} characters is not read")
    reader = _Reader(_split(text), len(text))
    reader.read_sum(0)
    kind, sign, offset = reader.look()
    if kind != "end":
        raise GrammarError(f"{quote(sign)} does not belong here", hint=_why(sign), offset=offset)
    return RetryDelay(text=text, program=tuple(reader.program))


Token = tuple[str, str, int]
"""What it is (number, name, sign, end), its text, and its offset."""


def _split(text: str) -> list[Token]:
    tokens = []
    offset = 0
    end = len(text.rstrip())
    while offset < end:
        found = TOKEN.match(text, offset)
        if found is None or found[0] == "**":
            character = found[0] if found else text[offset]
            raise GrammarError(
                f"{quote(character)} cannot stand in a retry delay",
                hint=NOT_OPERATORS.get(character),
                offset=offset,
            )
        if found.lastgroup not in (None, "blank"):
            tokens.append((str(found.lastgroup), found[0], offset))
        offset = found.end()
    return tokens


class _Reader:
    """Reads tokens by recursive descent, as deep as the parentheses, and writes the program."""

    def __init__(self, tokens: list[Token], end: int) -> None:
        self.program: list[float | str] = []
        self._tokens = tokens
        self._next = 0
        self._end = end

    def look(self) -> Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "", self._end)

    def read_sum(self, depth: int) -> None:
        self._read_product(depth)
        while self.look()[1] in ("+", "-"):
            sign = self._take()
            self._read_product(depth)
            self.program.append(sign)

    def _read_product(self, depth: int) -> None:
        self._read_term(depth)
        while self.look()[1] in ("*", "/"):
            sign = self._take()
            self._read_term(depth)
            self.program.append(sign)

    def _read_term(self, depth: int) -> None:
        kind, text, offset = self.look()
        if depth > DEEPEST:
            raise GrammarError(f"more than {DEEPEST} parentheses inside each other", offset=offset)
        if kind == "number":
            self.program.append(float(self._take()))
        elif kind == "name":
            self._read_name(depth)
        elif text == "(":
            self._take()
            self.read_sum(depth + 1)
            self._expect(")")
        elif kind == "end":
            raise GrammarError(f"the retry delay ends where {BEGINS} should stand", offset=offset)
        else:
            raise GrammarError(f"{quote(text)} where {BEGINS} should stand", hint=_why(text), offset=offset)

    def _read_name(self, depth: int) -> None:
        _, _, offset = self.look()
        name = self._take()
        called = self.look()[1] == "("
        if name == VARIABLE and not called:
            self.program.append(VARIABLE)
        elif name in ARITY and called:
            self._read_call(name, depth)
            self.program.append(name)
        elif name in ARITY:
            example = f"{name}({', '.join('xy'[: ARITY[name]])})"
            raise GrammarError(f"{name} is a function", hint=f"write {example}", offset=offset)
        else:
            raise _unknown(name, offset)

    def _read_call(self, name: str, depth: int) -> None:
        self._expect("(")
        wanted = ARITY[name]
        for number in range(wanted):
            if number:
                self._expect(",", f"{name} takes {wanted} values")
            self.read_sum(depth + 1)
        self._expect(")", f"{name} takes {wanted} value{'s' if wanted > 1 else ''}")

    def _expect(self, sign: str, otherwise: str | None = None) -> None:
        _, text, offset = self.look()
        if text != sign:
            # Only a comma or a parenthesis in the wrong place says that the number of values is at fault.
            message = otherwise if otherwise and text in (",", ")") else None
            found = f"before {quote(text)}" if text else "at the end"
            raise GrammarError(message or f'a "{sign}" is missing {found}', hint=_why(text), offset=offset)
        self._take()

    def _take(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1][1]


def _unknown(name: str, offset: int) -> GrammarError:
    known = [VARIABLE, *ARITY]
    short = name.rpartition(".")[2]
    meant = short if short in known else nearest(short, known)
    names = ", ".join(known)
    hint = f"did you mean {meant}?" if meant else f"known are {names}"
    return GrammarError(f"{quote(name)} is not known in a retry delay", hint=hint, offset=offset)


def _why(text: str) -> str | None:
    if text in ("-", "+"):
        return "a sign in front of a number is not documented: write 0 - x"
    if re.fullmatch(r"[eE][0-9]*|[a-z]+", text) and text not in ARITY and text != VARIABLE:
        return "write numbers in full, in milliseconds and without a unit"
    return None


def _run(program: tuple[float | str, ...], retried: float) -> float:
    stack: list[float] = []
    for step in program:
        if isinstance(step, float):
            stack.append(step)
        elif step == VARIABLE:
            stack.append(retried)
        elif ARITY.get(step) == 1:
            stack.append(_compute(ONE[step], stack.pop()))
        else:
            right = stack.pop()
            stack.append(_compute(TWO[step], stack.pop(), right))
    return stack.pop()


def _compute(function: Callable[..., float], *values: float) -> float:
    if any(math.isnan(value) for value in values):
        return math.nan
    try:
        return function(*values)
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        return math.nan


def _whole(value: float, function: Callable[[float], float]) -> float:
    return float(function(value)) if math.isfinite(value) else value


def _away_from_zero(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


ONE: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "sqrt": math.sqrt,
    "abs": abs,
    "floor": lambda x: _whole(x, math.floor),
    "ceil": lambda x: _whole(x, math.ceil),
    "round": lambda x: _whole(x, _away_from_zero),
}
TWO: dict[str, Callable[[float, float], float]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "pow": math.pow,
    "min": min,
    "max": max,
}
