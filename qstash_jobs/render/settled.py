"""A Template and the Scope of a job -> the data it stands for, row after row: only what a row changes is filled."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qstash_jobs.problem import Problem
from qstash_jobs.render.fault import Fault, place_fault
from qstash_jobs.render.fill import make_fill, settle
from qstash_jobs.render.scope import Scope
from qstash_jobs.render.template import Template, find_missing, find_outside

_NO_ROW: Mapping[str, Any] = {}


class Settled:
    """A template in which everything is filled but what hangs on the row. It is for one thread."""

    def __init__(self, template: Template, scope: Scope) -> None:
        node = settle(template.node, scope)
        self._fill = make_fill(node)
        self._place = template.place
        # the one thing that is changed in place: a scope for each row would take as long as filling three values
        self._roots = dict(scope.roots)
        self._scope = replace(scope, roots=self._roots)
        self.secrets = template.uses.secrets
        """The names of the secrets that each top-level field uses."""
        self.outside = find_outside(template.uses, scope)
        """The look-ups in `env.` and `row.` that each top-level field uses, also through a variable."""
        self.missing_secrets = find_missing(template.uses, scope)
        """Those whose place `***` or `local-NAME` took."""

    def fill(self, row: Mapping[str, Any] = _NO_ROW) -> tuple[Any, list[Fault]]:
        """Fill in a row. What is wrong is in the list; parts that no row changes are shared: never change them."""
        faults: list[Fault] = []
        self._roots["row"] = row
        return self._fill(self._scope, faults), faults

    def problems(self, faults: list[Fault]) -> list[Problem]:
        """Place the faults at their expressions."""
        return [place_fault(fault, self._place) for fault in faults]
