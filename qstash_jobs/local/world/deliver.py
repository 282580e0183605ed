"""A message's life after it was accepted: its turn, its attempts, their answers, its end."""

from qstash_jobs.local.world.attempt import begin
from qstash_jobs.local.world.callbacks import write_callback, write_failure_callback
from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.message import Answer, Attempt, Kind, Landing, Message, Stage, State
from qstash_jobs.local.world.redaction import Redaction
from qstash_jobs.local.world.retry import is_retryable, retry_delay_ms
from qstash_jobs.local.world.settings import CallbackSettings, Settings
from qstash_jobs.local.world.turns import leave, leave_queue, let_in, may_start, open_flow
from qstash_jobs.local.world.world import World


def enter(world: World, message: Message) -> None:
    """Take a new message in: it waits for its time, or for its turn in its queue."""
    account = message.account
    account.messages[message.id] = message
    account.note(message, State.CREATED, world.now_ms, next_ms=message.due_ms)
    _join_flow(world, message)
    if message.queue is None:
        world.agenda.put(message.due_ms, message)
    else:
        message.queue.waiting.append(message)
        let_in(world, message.queue)


def resume(world: World, message: Message) -> None:
    """Go on with a message that another process left: it waits again, where it did, or for its next attempt."""
    queue = message.queue
    if message.in_queue and queue is not None:
        message.in_queue = message.stage is not Stage.SETTLED or message.callbacks_open > 0
        queue.active += message.in_queue
    if message.stage is Stage.SETTLED:
        return
    if message.settings.flow_key is not None:
        message.flow = message.account.flows.get(message.settings.flow_key)
        if message.flow is None:
            _join_flow(world, message)
    if queue is None or message.in_queue:
        world.agenda.put(message.due_ms, message)
    else:
        queue.waiting.append(message)


def give_up_if_cancelled(world: World, message: Message) -> None:
    """End a message that was to be cancelled while it was under way in another process: it is not tried again."""
    if message.cancel_requested:
        _finish(world, message, State.CANCELLED, None)


def _join_flow(world: World, message: Message) -> None:
    settings = message.settings
    if settings.flow_key is not None and settings.flow is not None:
        message.flow = message.account.flow(settings.flow_key)
        message.flow.adopt(settings.flow)
        world.changes.note_thing(message.account, "flow", settings.flow_key)


def next_attempt(world: World) -> Attempt | None:
    """Start the next delivery that is due, or return None."""
    while (item := world.agenda.take(world.now_ms)) is not None:
        match item:
            case Landing():
                world.flights += 1
                settle(world, item.attempt, item.answer)
            case FlowKey():
                item.wakes_at_ms = None
                open_flow(world, item)
            case Message():
                if may_start(world, item):
                    return begin(world, item)
    return None


def settle(world: World, attempt: Attempt, answer: Answer) -> None:
    """Take an attempt's answer: the message is delivered, tried again, or failed."""
    message = attempt.message
    world.flights -= 1
    leave(world, message)
    message.stage = Stage.WAITING
    # wire contract D23: the callback reports every attempt
    if message.settings.callback is not None:
        body = write_callback(attempt, answer)
        _report(world, message, message.settings.callback, body, kind="callback")
    if answer.status is not None and 200 <= answer.status < 300:
        _finish(world, message, State.DELIVERED, answer)
        return
    _fail_attempt(world, attempt, answer)


def settle_later(world: World, attempt: Attempt, answer: Answer, *, after_ms: int) -> None:
    """Take an answer that will have needed so much virtual time."""
    # Nothing real is under way: time may jump to the answer.
    world.flights -= 1
    world.agenda.put(world.now_ms + after_ms, Landing(attempt=attempt, answer=answer))


def cancel(world: World, message: Message) -> bool:
    """Cancel a message; one that is under way is delivered still, but not tried again."""
    if message.stage is Stage.SETTLED or message.cancel_requested:
        return False
    message.account.note(message, State.CANCEL_REQUESTED, world.now_ms)
    message.cancel_requested = True
    if message.stage is Stage.WAITING:
        _finish(world, message, State.CANCELLED, None)
    return True


def _fail_attempt(world: World, attempt: Attempt, answer: Answer) -> None:
    message, account, now_ms = attempt.message, attempt.message.account, world.now_ms
    error = answer.error or f"the destination answered with status {answer.status}"
    if message.cancel_requested:
        account.note(message, State.ERROR, now_ms, error=error, answer=answer)
        _finish(world, message, State.CANCELLED, None)
    elif is_retryable(message, answer):
        due_ms = now_ms + retry_delay_ms(message, answer, real_ms=world.real_ms)
        account.note(message, State.ERROR, now_ms, error=error, next_ms=due_ms, answer=answer)
        account.note(message, State.RETRY, now_ms, next_ms=due_ms)
        message.retried += 1
        message.due_ms = due_ms
        world.agenda.put(due_ms, message)
    else:
        account.note(message, State.ERROR, now_ms, error=error, answer=answer)
        _bury(world, attempt, answer)
        _finish(world, message, State.FAILED, answer, error=error)


def _bury(world: World, attempt: Attempt, answer: Answer) -> None:
    message = attempt.message
    letter = message.account.bury(message, answer, world.now_ms)
    if message.settings.failure_callback is not None:
        body = write_failure_callback(attempt, answer, dlq_id=letter.id)
        _report(world, message, message.settings.failure_callback, body, kind="failure_callback")


def _finish(
    world: World, message: Message, state: State, answer: Answer | None, *, error: str | None = None
) -> None:
    message.end = state
    message.account.note(message, state, world.now_ms, answer=answer, error=error)
    message.account.settle(message)
    leave(world, message)
    leave_queue(world, message)
    parent = message.parent
    if parent is not None:
        parent.callbacks_open -= 1
        message.parent = None
        leave_queue(world, parent)


def _report(world: World, source: Message, callback: CallbackSettings, body: bytes, *, kind: Kind) -> None:
    number = world.next_number()
    headers = callback.headers
    if not any(name == "Content-Type" for name, _ in headers):
        headers = (("Content-Type", "application/json"), *headers)
    settings = Settings(
        method=callback.method,
        headers=headers,
        timeout_s=callback.timeout_s,
        flow_key=callback.flow_key,
        flow=callback.flow,
        # Its body repeats what the source asked to hide.
        redaction=Redaction(body=True) if source.settings.redaction is not None else None,
    )
    source.callbacks_open += 1
    enter(
        world,
        Message(
            number=number,
            id=world.message_id(number),
            account=source.account,
            url=callback.url,
            settings=settings,
            body=body,
            created_ms=world.now_ms,
            due_ms=world.now_ms,
            # wire contract 17: callbacks inherit retries from the message
            max_retries=source.max_retries if callback.retries is None else callback.retries,
            retry_delay=callback.retry_delay,
            caller_ip=source.caller_ip,
            kind=kind,
            parent=source,
        ),
    )
