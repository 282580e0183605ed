"""Whose turn it is: a message's place in its queue and its flow-control key's leave, given and taken back."""

from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.message import Message, Stage
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.world import World


def let_in(world: World, queue: Queue) -> None:
    """Put those messages of a queue on the agenda whose turn it is."""
    while (message := queue.next_up()) is not None:
        world.changes.note_message(message)
        world.agenda.put(world.now_ms, message)


def leave_queue(world: World, message: Message) -> None:
    """Let the next one of a queue in, when a message is done."""
    # wire contract 6: the next one waits for retries and for callbacks of the current one
    if message.queue is not None and message.stage is Stage.SETTLED and not message.callbacks_open:
        message.queue.leave(message)
        world.changes.note_message(message)
        let_in(world, message.queue)


def may_start(world: World, message: Message) -> bool:
    """Ask a message's flow-control key and its account; a no makes it wait there, and come back to the agenda."""
    return _pass_flow(world, message) and _take_place(world, message)


def _pass_flow(world: World, message: Message) -> bool:
    key = message.flow
    if key is None or message.in_flow:
        return True
    if key.waiting or not key.is_open(world.now_ms):
        key.waiting.append(message)
        open_flow(world, key)
        return False
    _count(world, key, message)
    return True


def _take_place(world: World, message: Message) -> bool:
    account, most = message.account, world.quota.parallelism
    if message.has_place:
        return True
    if most and account.active >= most:
        account.waiting.append(message)
        return False
    account.active += 1
    message.has_place = True
    return True


def _give_place(world: World, message: Message) -> None:
    account = message.account
    if not message.has_place:
        return
    message.has_place = False
    account.active -= 1
    while account.waiting and account.active < world.quota.parallelism:
        following = account.waiting.popleft()
        if following.stage is not Stage.SETTLED:
            account.active += 1
            following.has_place = True
            world.agenda.put(world.now_ms, following)


def leave(world: World, message: Message) -> None:
    """Tell a message's flow-control key and its account that its attempt is over."""
    _give_place(world, message)
    if message.flow is not None and message.in_flow:
        message.in_flow = False
        message.flow.active -= 1
        open_flow(world, message.flow)


def _count(world: World, key: FlowKey, message: Message) -> None:
    world.changes.note_thing(message.account, "flow", key.name)
    key.active += 1
    key.started += 1
    message.in_flow = True


def open_flow(world: World, key: FlowKey) -> None:
    """Start those who wait for a flow-control key, or look again when its period ends."""
    while key.waiting:
        if key.waiting.first.stage is Stage.SETTLED:
            key.waiting.popleft()
        elif key.is_open(world.now_ms):
            message = key.waiting.popleft()
            _count(world, key, message)
            world.agenda.put(world.now_ms, message)
        else:
            break
    # `is_open` has begun a new period where the old one is over: the end of this one is still to come.
    if key.waiting and key.is_used_up and not key.paused and key.wakes_at_ms is None:
        key.wakes_at_ms = key.period_end_ms
        world.agenda.put(key.period_end_ms, key)
