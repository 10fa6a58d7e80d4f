"""`simulate-calls`: a day of calls, played against a running server as a telephone system would tell of them.

Some are missed, some come from numbers that nobody knows, some events come late, early or twice; what is left in the
end is the same. Nothing is read back: the list of incoming calls shows it.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import urllib3
from sqlalchemy import select

if TYPE_CHECKING:
    import argparse

    from sqlalchemy.orm import Session

PATH = "/api/v1/call_event"
KEY = "YIMEI_API_KEY"
SENDERS = 8
PATIENCE = 30.0
#: Of the calls: how many are missed, come without a number, are told out of order, and of the events how many twice.
MISSED_SHARE, HIDDEN_SHARE, SHUFFLED_SHARE, TWICE_SHARE = 0.2, 0.05, 0.1, 0.05
DAY = timedelta(hours=9)

Event = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is to be played: the extensions that ring, numbers that are known, where recordings are said to lie."""

    calls: int
    extensions: Sequence[str] = ("8001", "8002")
    numbers: Sequence[str] = ()
    recordings: str = ""
    name: str = "sim"


@dataclass
class Played:
    """What became of it: how many events were sent, taken, known already and refused, and how long answers took."""

    sent: int = 0
    taken: int = 0
    known: int = 0
    refused: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def slowest(self, share: float) -> float:
        """Return within how many seconds a share of the events was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def day_of_calls(plan: Plan, random: Random, now: datetime) -> list[Event]:
    """Return the events of a day in the order in which they are told; the last call begins now."""
    told: list[Event] = []
    for number in range(plan.calls):
        at = now - DAY * (1 - (number + 1) / plan.calls)
        events = list(_call(plan, f"{plan.name}-{number:05d}", random, min(at, now)))
        if random.random() < SHUFFLED_SHARE:
            random.shuffle(events)
        told += [event for each in events for event in [each] * (2 if random.random() < TWICE_SHARE else 1)]
    return told


def _call(plan: Plan, call_id: str, random: Random, at: datetime) -> Iterator[Event]:
    number = {"number": _number(plan, random)} if random.random() >= HIDDEN_SHARE else {}
    extension = random.choice(plan.extensions)

    def event(kind: str, seconds: float, **more: Any) -> Event:
        told = (at + timedelta(seconds=seconds)).isoformat()
        return {"call_id": call_id, "event_id": f"{call_id}-{kind}", "kind": kind, "at": told, **more}

    yield event("ringing", 0, direction="in", extension=extension, **number)
    if random.random() < MISSED_SHARE:
        yield event("missed", random.uniform(12, 40), extension=extension)
        return
    answered = random.choice((2.0, 3.0, 4.0, 7.0, 11.0))
    ended = answered + random.uniform(20, 240)
    yield event("answered", answered, extension=extension)
    yield event("ended", ended)
    if plan.recordings:
        yield event("recording", ended + 2, recording_url=f"{plan.recordings.rstrip('/')}/{call_id}.wav")


def _number(plan: Plan, random: Random) -> str:
    if plan.numbers and random.random() < 0.6:
        return random.choice(plan.numbers)
    return f"13{random.randrange(10**9):09d}"


def play(server: str, key: str, events: Sequence[Event], *, rate: float, senders: int = SENDERS) -> Played:
    """Send events at a rate per second, several at once as a telephone system does; return what became of them."""
    waiting: queue.Queue[Event | None] = queue.Queue(maxsize=senders * 4)
    played, lock = Played(), threading.Lock()
    pool = urllib3.PoolManager(maxsize=senders, block=True, retries=False, timeout=PATIENCE)
    send = _sender(pool, f"{server.rstrip('/')}{PATH}", key, played, lock)
    threads = [threading.Thread(target=_work, args=(waiting, send), daemon=True) for _each in range(senders)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    for place, event in enumerate(events):
        time.sleep(max(0.0, begun + place / rate - time.monotonic()))
        waiting.put(event)
    for _thread in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    return played


def _work(waiting: queue.Queue[Event | None], send: Callable[[Event], None]) -> None:
    while (event := waiting.get()) is not None:
        send(event)


def _sender(
    pool: urllib3.PoolManager, address: str, key: str, played: Played, lock: threading.Lock
) -> Callable[[Event], None]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(event: Event) -> None:
        begun = time.monotonic()
        try:
            answer = pool.request("POST", address, body=json.dumps(event), headers=headers, redirect=False)
            told = answer.json() if answer.status == 200 else {}
            said = "" if answer.status == 200 else f"{answer.status} {answer.data[:200]!r}"
        except (urllib3.exceptions.HTTPError, ValueError) as wrong:
            told, said = {}, type(wrong).__name__
        with lock:
            played.sent += 1
            played.seconds.append(time.monotonic() - begun)
            played.taken += told.get("taken", 0)
            played.known += told.get("count", 0) - told.get("taken", 0)
            if said:
                played.refused.append(f"{event['kind']} of {event['call_id']}: {said}")

    return send


def untrue(session: Session, name: str) -> list[str]:
    """Return the calls of a play whose rows are not what all their events say together."""
    from app.models.telephone import PhoneCall
    from app.services.telephone.folding import fold
    from app.services.telephone.taking import SAID, all_told

    wrong = []
    for call in session.scalars(select(PhoneCall).where(PhoneCall.call_id.startswith(f"{name}-", autoescape=True))):
        told, rule = all_told(session, call.branch_id, call.call_id, call.told_at)
        facts = fold(told, **rule)
        if any(getattr(call, column) != getattr(facts, column) for column in (*SAID, "number", "recording_url")):
            wrong.append(call.call_id)
    return wrong


def simulate(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Play a day of calls as the command line says; return 1 if anything was refused."""
    key = (arguments.key_file.read_text(encoding="utf-8") if arguments.key_file else os.environ.get(KEY, "")).strip()
    if not key:
        say(f"Give an API key with the right call_event.post: --key-file, or {KEY} in the environment.")
        return 1
    if arguments.calls < 1 or arguments.rate <= 0:
        say("At least one call, at a rate above nought, please.")
        return 1
    seed = Random().randrange(10**6) if arguments.seed is None else arguments.seed
    plan = Plan(
        arguments.calls,
        extensions=arguments.extension or Plan.extensions,
        numbers=arguments.number or (),
        recordings=arguments.recordings,
        name=f"sim{seed}",
    )
    events = day_of_calls(plan, Random(seed), datetime.now(UTC))
    say(f"{plan.calls} calls, {len(events)} events, {arguments.rate:g} a second, seed {seed} ...")
    played = play(arguments.to, key, events, rate=arguments.rate)
    say(f"{played.sent} sent: {played.taken} taken, {played.known} known already, {len(played.refused)} refused.")
    say(f"Answered within: half {played.slowest(0.5) * 1000:.0f} ms, 95 of 100 {played.slowest(0.95) * 1000:.0f} ms.")
    for sentence in played.refused[:10]:
        say(f"  {sentence}")
    return 1 if played.refused else 0
