"""An account without a network: `apply` and the official SDK ask one local server's routes, in this process."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from qstash import QStash

from qstash_jobs.api.applying import Applied, ApplyTalk, ApplyWish, apply
from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.wish import Tools
from qstash_jobs.api.workspace import load
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.local.routes import Call, answer
from qstash_jobs.local.world.account import DEV_USERS
from qstash_jobs.local.world.switches import change_switches
from qstash_jobs.local.world.world import World
from qstash_jobs.plan.account import AccountPlan
from qstash_jobs.plan.verdict import Verdict
from qstash_jobs.problem import Problem
from qstash_jobs.wire.http import Answer, Reply, Request
from qstash_jobs.wire.server import Server

TOKEN = DEV_USERS[0].token
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class RoutesTransport(httpx.BaseTransport):
    """Answers the SDK as the local server would."""

    def __init__(self, service: "RoutesService") -> None:
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = tuple((name.decode(), value.decode()) for name, value in request.headers.raw)
        call = Call(
            method=request.method,
            target=request.url.raw_path.decode(),
            headers=headers,
            body=request.read(),
        )
        reply = answer(self._service.world, call)
        return httpx.Response(
            reply.status, content=reply.body, headers=[("Content-Type", reply.content_type)]
        )


class RoutesLine:
    """A line that ends in this process; somebody may meddle between the request and its answer."""

    def __init__(self, service: "RoutesService") -> None:
        self._service = service

    def connect(self) -> None:
        """Be ready."""

    def send(self, request: Request, *, may_send: Callable[[], bool]) -> Answer:
        assert may_send()
        self._service.sent.append(request)
        meddle = self._service.meddle
        return self._carry(request) if meddle is None else meddle(request, self._carry)

    def close(self) -> None:
        """Be no more."""

    def _carry(self, request: Request) -> Answer:
        call = Call(
            method=request.method,
            target=request.target,
            headers=(("Authorization", f"Bearer {TOKEN}"), *request.headers),
            body=request.body,
        )
        reply = answer(self._service.world, call)
        return Reply(status=reply.status, headers=reply.headers, body=reply.body)


Meddle = Callable[[Request, Callable[[Request], Answer]], Answer]


@dataclass(kw_only=True)
class RoutesService:
    """Stands for `api.world.Service`."""

    world: World
    meddle: Meddle | None = None
    server: Server = field(default_factory=lambda: Server(host="127.0.0.1", port=8080, secure=False))
    token: str = TOKEN
    account: str | None = None
    target: str = "127.0.0.1:8080"
    sent: list[Request] = field(default_factory=list)

    def open_line(self) -> RoutesLine:
        return RoutesLine(self)


class PatientClock:
    """Nobody waits for anything; what was waited is counted."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def now(self) -> datetime:
        return NOW

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


@dataclass(kw_only=True)
class Told:
    """All that one apply said."""

    result: Applied
    problems: list[Problem] = field(default_factory=list)
    plans: list[AccountPlan] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slept_s: float = 0


class Rig:
    """A project's folder, an account, and the SDK that looks at it."""

    def __init__(self, folder: Path, *, project: str = "billing") -> None:
        self.folder = folder
        self.secrets: dict[str, str] = {}
        self.service = RoutesService(world=make_world())
        self.sdk = QStash(TOKEN, base_url="http://127.0.0.1:8080", retry=False)
        self.sdk.http._client.close()
        self.sdk.http._client = httpx.Client(transport=RoutesTransport(self.service))
        (folder / "qstash-jobs.yaml").write_text(
            json.dumps({"project": project, "environments": {"production": {}, "x": {}}})
        )
        self._jobs = folder / "jobs.yaml"
        self._ledger = open_sqlite(folder / "ledger.db")

    def close(self) -> None:
        self._ledger.close()
        self.sdk.http._client.close()

    @property
    def world(self) -> World:
        return self.service.world

    def begin(self) -> None:
        """Have an account that holds nothing."""
        self.service.world = make_world()
        self.service.sent.clear()

    def turn(self, **switches: str) -> None:
        self.world.switches = change_switches(self.world.switches, switches)

    def apply(
        self,
        files: Mapping[str, Any],
        *,
        environment: str = "production",
        prunes: bool = False,
        forces: bool = True,
        confirms: bool = True,
    ) -> Told:
        """Write what the files declare, and apply it."""
        self._jobs.write_text(json.dumps(files, ensure_ascii=False))
        workspace = load(
            Inputs(paths=(str(self.folder),), here=self.folder, environment=environment, schedules_too=True)
        )
        clock = PatientClock()
        told = Told(result=Applied(exit_code=-1))

        def confirm(plan: AccountPlan) -> bool:
            del plan
            return confirms

        talk = ApplyTalk(
            show_problems=told.problems.extend,
            use_mask=lambda _: None,
            show_plan=told.plans.append,
            confirm=confirm,
            tell=told.verdicts.append,
            note=told.notes.append,
            stopping=lambda: 0,
        )
        tools = Tools(
            service=self.service,  # type: ignore[arg-type]
            ledger=self._ledger,
            clock=clock,  # type: ignore[arg-type]
            env={},
            secrets=self.secrets,
        )
        told.result = apply(workspace, ApplyWish(prunes=prunes, forces=forces), tools, talk)
        told.slept_s = clock.slept_s
        return told

    def plan(
        self, files: Mapping[str, Any], *, environment: str = "production", prunes: bool = False
    ) -> AccountPlan | None:
        """Look at what an apply would do; None where the files are out of order."""
        told = self.apply(files, environment=environment, prunes=prunes, confirms=False)
        return told.plans[0] if told.plans else None

    def pause(self, id_: str, *, paused: bool) -> None:
        """Pause or resume by hand, with the verb that the account takes: the SDK knows only one of them."""
        self.sdk.http.request(
            path=f"/v2/schedules/{id_}/{'pause' if paused else 'resume'}",
            method="POST" if self.world.switches.pause_verb == "POST" else "PATCH",
            parse_response=False,
        )

    def raw(self, path: str) -> Any:
        """What the account shows, as it shows it."""
        return self.sdk.http.request(path=path, method="GET")


def open_rig(folder: Path) -> "closing[Rig]":
    return closing(Rig(folder))


def make_world() -> World:
    return World(now_ms=int(NOW.timestamp() * 1000), make_secret=lambda: "rig", stands_still=True)
