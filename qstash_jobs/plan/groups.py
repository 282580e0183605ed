"""A URL group as declared and as observed -> the Change between them. Endpoints come before any goes."""

from collections.abc import Mapping

from qstash_jobs.plan.changes import Change, Comparison, FieldChange, Step, hide_in_url, is_telling
from qstash_jobs.resources import Resource
from qstash_jobs.wire.resources.groups import (
    Endpoint,
    ObservedGroup,
    put_endpoints,
    put_group_headers,
    remove_endpoints,
    remove_group,
)

UNSEEN_HEADERS = "the account does not show its headers, so each apply sets them again"


def plan_group(declared: Resource, observed: ObservedGroup | None) -> Change:
    """Plan what makes a URL group as declared. It never is without an endpoint on the way, which would remove it."""
    wanted = {str(name): str(url) for name, url in declared.fields["endpoints"].items()}
    headers = _read_headers(declared.fields.get("headers"))
    had = observed or ObservedGroup(name=declared.name)
    found = Comparison()
    added, removed = _match(wanted, had)
    old_urls = {one.name: one.url for one in had.endpoints if one.name is not None}
    for endpoint in added:
        found.put(f"endpoints.{endpoint.name}", old_urls.get(endpoint.name or ""), endpoint.url)
    for endpoint in removed:
        found.put(f"endpoints.{endpoint.name or hide_in_url(endpoint.url)}", endpoint.url, None)
    before = len(found.changes)
    is_unseen = headers is not None and observed is not None and observed.headers is None
    if headers is not None and not is_unseen:
        found.add_headers("headers", had.headers or (), tuple(headers.items()), is_secret=is_telling)
    steps = [
        *_when(bool(added), Step(request=put_endpoints(declared.name, added), does="add its endpoints")),
        *_when(
            bool(removed),
            Step(request=remove_endpoints(declared.name, removed), does="remove endpoints", may_be_gone=True),
        ),
    ]
    if len(found.changes) > before or is_unseen:
        steps.append(Step(request=put_group_headers(declared.name, headers or {}), does="set its headers"))
    return Change(
        kind="url_group",
        key=declared.key,
        name=declared.name,
        action="create" if observed is None else "update" if found.changes else "unchanged",
        fields=tuple(found.changes),
        location=declared.location,
        steps=tuple(steps),
        notes=(UNSEEN_HEADERS,) if is_unseen else (),
    )


def plan_group_removal(observed: ObservedGroup, *, why_force: str) -> Change:
    """Plan that a group goes."""
    return Change(
        kind="url_group",
        key=observed.name,
        name=observed.name,
        action="delete",
        fields=tuple(
            FieldChange(
                field=f"endpoints.{one.name or hide_in_url(one.url)}", old=hide_in_url(one.url), new=None
            )
            for one in observed.endpoints
        ),
        steps=(Step(request=remove_group(observed.name), does="remove it", may_be_gone=True),),
        needs_force=why_force,
    )


def _match(wanted: Mapping[str, str], had: ObservedGroup) -> tuple[list[Endpoint], list[Endpoint]]:
    """Find the endpoints to add or move, and those to remove.

    An endpoint without a name is the declared one that has its URL: it could not be removed without that one, since
    an endpoint is removed by its name or by its URL (openapi.yaml). Of two with one name, which there are if QStash
    knows endpoints by their URLs, the one that is not declared goes by its URL.
    """
    urls = set(wanted.values())
    have = {(one.name, one.url) for one in had.endpoints if one.name is not None}
    names = {name for name, _ in have}
    unnamed = {one.url for one in had.endpoints if one.name is None}
    added = [
        Endpoint(name=name, url=url)
        for name, url in wanted.items()
        if (name, url) not in have and (name in names or url not in unnamed)
    ]
    removed = [
        one
        for one in had.endpoints
        if (one.name not in wanted if one.name is not None else one.url not in urls)
    ]
    removed += [
        Endpoint(url=url)
        for name, url in sorted(have)
        if name in wanted and (name, wanted[name]) in have and url not in urls
    ]
    return added, removed


def _read_headers(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {str(name): _text(each) for name, each in value.items()}


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _when(condition: bool, step: Step) -> list[Step]:  # noqa: FBT001
    return [step] if condition else []
