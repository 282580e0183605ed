"""Requests -> answers over one connection; an answer that is not complete is `Lost`, never guessed at.

urllib3 opens and verifies the connection. Writing and reading are our own, because http.client would let through
what decides whether a message may have been accepted: it returns 200 for a head that was cut, skips `100 Continue`,
reads heads of several megabytes, and no timeout bounds an answer that comes byte by byte.
"""

from qstash_jobs.transport.line import HttpLine, open_line
from qstash_jobs.transport.watch import open_watch

__all__ = ["HttpLine", "open_line", "open_watch"]
