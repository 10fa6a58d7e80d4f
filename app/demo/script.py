"""The script of the demo: what customers, consultants, guides and the clock do in a branch, day by day.

Everything is drawn from a fixed seed before anything is played, so the same anchor day gives the same story.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from app.actors import Actor
from app.demo import texts
from app.demo.booking import Booking
from app.demo.calendar import Calendar
from app.demo.calls import play_calls
from app.demo.cast import OLDEST, Casting, Visitor
from app.demo.duty import write_duty
from app.demo.messages import write_messages
from app.demo.organisation import SECONDS, House, role_of
from app.demo.returns import write_returns
from app.demo.slips import Chain, plan_chains
from app.demo.stage import Call, Stage, Step
from app.demo.supplements import FIRST_CONTACT, STORIES, Supplement, slips_made
from app.demo.visits import Ending, Visiting
from app.models.appointments import Answered, Channel, SlipState

#: Of the contacts: how many come from nobody known, of these how many are missed.
STRANGERS_SHARE, MISSED_SHARE = 0.13, 0.16
#: Of the customers: how many have a file without a registered contact.
UNRECORDED_SHARE = 0.15
REPORT_DAYS = 14
EVENING = 21 * 60
#: How far the visits of today have come, in turns.
TODAY = (
    Ending.SEEN, Ending.WAITS, Ending.SEEN, Ending.IN_ROOM, Ending.WAITS, Ending.SEEN, Ending.ACCEPTED, Ending.WAITS,
)  # fmt: skip


@dataclass(frozen=True)
class Amounts:
    """How much of what a branch gets."""

    customers: int
    contacts: int
    slips: int


@dataclass
class Script:
    """The steps of one branch. ``cast`` finds its customers, ``random`` decides."""

    house: House
    calendar: Calendar
    random: Random
    cast: Casting
    steps: list[Step] = field(default_factory=list)
    contacts_left: int = 0
    visits_today: int = 0
    #: What is drawn for visits, so that they change nothing else of the story.
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = Random(f"visits:{self.house.branch.code}")

    def write(self, amounts: Amounts) -> list[Step]:
        """Return all steps; they make exactly these amounts."""
        made_up = slips_made(amounts.customers, amounts.slips)
        chains = plan_chains(self.random, self.calendar, amounts.slips - made_up)
        booked = self._visitors_of(chains)
        walked_in = [self.cast.visitor(FIRST_CONTACT, self.minute()) for _story in STORIES[: len(STORIES) * made_up]]
        others = len({visitor.key for visitor in (*booked, *walked_in)})
        idle = [self._idle_visitor() for _each in range(amounts.customers - others)]
        visitors = list({visitor.key: visitor for visitor in (*booked, *walked_in, *idle)}.values())
        for visitor in self.random.sample(idle, min(len(idle), round(amounts.customers * UNRECORDED_SHARE))):
            visitor.recorded = False
        strangers = round(amounts.contacts * STRANGERS_SHARE)
        self.contacts_left = amounts.contacts - strangers - sum(visitor.recorded for visitor in visitors)
        self._refer(visitors)
        for visitor in visitors:
            self._first_contact(visitor)
        for chain, visitor in zip(chains, booked, strict=True):
            Booking(self, visitor, chain).write()
        for place, visitor in enumerate(walked_in):
            Supplement(self, visitor, place).write()
        while self.contacts_left > 0:
            self._idle_contact(self.random.choice(visitors))
        for number in range(strangers):
            self._stranger(number)
        for number, visitor in enumerate(self.random.sample(visitors, min(len(visitors), max(8, len(visitors) // 40)))):
            self._wants_more(visitor, number)
        write_duty(self)
        write_returns(self, chains, booked)
        write_messages(self, visitors)
        self._evenings()
        self.tell(self.calendar.now, lambda stage: play_calls(stage, self.house, self.calendar))
        return self.steps

    def tell(self, at: datetime, play: Callable[[Stage], None]) -> None:
        """Add a step; what would lie in the future is left out."""
        if at <= self.calendar.now:
            self.steps.append(Step(at, len(self.steps), play))

    def minute(self, begin: int = 8 * 60 + 45, end: int = 19 * 60 + 30) -> float:
        """Return a minute of the day between two."""
        return begin + self.random.random() * (end - begin)

    def visit(
        self, visitor: Visitor, key: str, day: int, came: float, staff: tuple[str, str], stays: float, *, is_seen: bool
    ) -> None:
        """She comes with her slip. Who is not seen by the end of the story waits today, or went away on her day."""
        if day == 0:
            self.visits_today += 1
            ending = TODAY[self.visits_today % len(TODAY)]
            at = self.calendar.done_at(0, came) if ending is Ending.SEEN else self.lately(ending)
        else:
            ending = Ending.SEEN if is_seen else self.chance.choice((Ending.UNSEEN, Ending.CANCELLED))
            at = self.calendar.exactly(day, came)
        Visiting(self, visitor, key, at, ending, stays=stays, staff=staff).write()

    def lately(self, ending: Ending) -> datetime:
        """Return when somebody came who is here now: the longer ago, the farther she has come."""
        least, most = {Ending.WAITS: (3, 38), Ending.ACCEPTED: (18, 30), Ending.IN_ROOM: (26, 70)}[ending]
        came = self.calendar.now - timedelta(minutes=self.chance.uniform(least, most))
        return max(came, self.calendar.exactly(0, 0))

    def actor_of(self, employee_id: int | None) -> Actor | None:
        """Return who an employee of the branch is, if she has a login."""
        return next((actor for actor in self.house.actors.values() if actor.employee_id == employee_id), None)

    # --- customers ----------------------------------------------------------------------------------------------

    def _visitors_of(self, chains: list[Chain]) -> list[Visitor]:
        """Return for each chain whose it is: mostly a new customer, now and then one who was here before."""
        visitors: list[Visitor] = []
        been: list[tuple[int, Visitor]] = []
        for chain in chains:
            placed = chain.legs[0].placed
            again = [entry for entry in been if entry[0] <= placed - 3]
            if again and self.random.random() < 0.08:
                entry = self.random.choice(again)
                been.remove(entry)
                visitor = entry[1]
            else:
                gap = 0 if self.random.random() < 0.6 else self.random.randint(1, 10)
                visitor = self.cast.visitor(placed - gap, self.minute(end=18 * 60 + 50), booked=True)
            visitors.append(visitor)
            if chain.ending is SlipState.COMPLETED:
                been.append((chain.last.appointed + 1, visitor))
        return visitors

    def _idle_visitor(self) -> Visitor:
        """Return a customer who never got a slip."""
        day = self.random.randint(OLDEST, -1) if self.random.random() < 0.995 else 0
        return self.cast.visitor(day, self.minute())

    def _refer(self, visitors: list[Visitor]) -> None:
        """Give the recommended ones an old customer who recommended them. R-2.1.1-5."""
        old = sorted(visitors, key=lambda visitor: (visitor.day, visitor.minute, visitor.key))
        for place, visitor in enumerate(old):
            if visitor.source == "referral_customer" and place > 5 and visitor.day > old[0].day:
                known = self.random.choice(old[:place])
                visitor.referrer = known if known.day < visitor.day else None

    def _first_contact(self, visitor: Visitor) -> None:
        """She calls, chats or is named by a partner, and gets a temporary file."""
        said = texts.call_text(visitor.wish)
        outcome = self.random.choice(texts.AGREED if visitor.booked else texts.UNDECIDED)
        if visitor.recorded:
            self.contact(
                visitor, visitor.day, visitor.minute, "item_enquiry", said, outcome, key="first", is_first=True
            )
        at = self.calendar.done_at(visitor.day, visitor.minute + 3)
        actor = self.house.actors[visitor.consultant]

        def open_file(stage: Stage) -> None:
            answer = stage.act(
                "customer.register_temporary",
                by=actor,
                at=at,
                key=visitor.key,
                values={
                    "name": visitor.name,
                    "alias": visitor.alias,
                    "phone": None if visitor.recorded and visitor.channel is Channel.PHONE else visitor.phone,
                    "wechat": visitor.wechat,
                    "qq": visitor.qq,
                    "sex": visitor.sex,
                    "age": visitor.age,
                    "area_id": stage.item("area", visitor.area),
                    "source_channel_id": stage.source(visitor.source),
                    "channel_partner_id": visitor.partner.id if visitor.partner else None,
                    "referrer_customer_id": visitor.referrer.customer_id if visitor.referrer else None,
                    "followup_note": visitor.note,
                    "contact_record_id": visitor.record_id,
                },
            )
            visitor.customer_id = answer.record.id

        self.tell(at, open_file)

    # --- contacts -----------------------------------------------------------------------------------------------

    def contact(
        self,
        visitor: Visitor,
        day: int,
        minute: float,
        category: str,
        content: str | None,
        outcome: str,
        *,
        key: str,
        is_first: bool = False,
        login: str | None = None,
        missed: bool = False,
    ) -> None:
        """A customer's contact, in the way in which she came; who has a number and calls is matched by it."""
        at = self.calendar.done_at(day, minute)
        actor = self.house.actors[login or visitor.consultant]
        by_phone = visitor.channel is Channel.PHONE or missed
        extra = self._chat(visitor, content or "") if visitor.channel is Channel.WEB_CHAT and not by_phone else {}
        rings = self.random.randint(5, 12) if missed else self.random.randint(1, 5)

        def register(stage: Stage) -> None:
            values: dict[str, Any] = {
                "business_category_id": stage.item("business_category", category),
                "customer_id": None if is_first or by_phone else visitor.customer_id,
                "content": content,
                "outcome": outcome,
            }
            if by_phone:
                name = "contact_record.register_call"
                values |= {"caller_no": visitor.phone, "ring_count": rings}
                values |= {"missed": Answered.MISSED if missed else Answered.ANSWERED}
            elif visitor.partner is not None:
                name = "contact_record.register_lead"
                values |= {"channel_partner_id": visitor.partner.id, "caller_no": visitor.phone}
            else:
                name = "contact_record.register_chat"
                values |= {field: value for field, value in extra.items() if field != "quality"}
                values["lead_quality_id"] = stage.item("lead_quality", extra["quality"])
            answer = stage.act(name, by=actor, at=at, key=f"{visitor.key}:{key}", values=values)
            if login is None:
                visitor.record_id = answer.record.id
            if missed:
                missed_records.append(answer.record.id)

        missed_records: list[int] = []
        self.tell(at, register)
        if missed:
            self.return_call(missed_records, day, minute, login or visitor.consultant, f"{visitor.key}:{key}")

    def return_call(self, records: list[int], day: int, minute: float, login: str, key: str) -> None:
        """A missed call is returned within the next hours, mostly. R-2.1.1-3."""
        if self.random.random() < 0.2:
            return
        at = self.calendar.done_at(day, min(minute + self.random.randint(15, 120), 20 * 60 + 25))
        call = self.call("missed_call", login)
        actor = self.house.actors[login]

        def call_back(stage: Stage) -> None:
            occasion = f"contact_record:{records[0]}"
            stage.follow_up("missed_call", occasion, call, by=actor, at=at, key=f"{key}:back")

        self.tell(at, call_back)

    def call(self, trigger: str, login: str, *, ends: bool = False) -> Call:
        """Invent what comes of a follow-up call: mostly an end, now and then a next plan; most are reviewed."""
        draw = self.random.random
        feedback = self.random.choice(texts.FEEDBACK[trigger])
        reached = "未接" not in feedback
        goes_on = not ends and (not reached or draw() < 0.35)
        return Call(
            feedback,
            supervisor=self._supervisor_of(login),
            reached=reached,
            satisfaction=self.random.randint(3, 5) if reached and draw() < 0.4 else None,
            next_days=self.random.randint(1, 9) if goes_on else None,
            end="slip" if ends else self.random.choice(("not_interested", "done", "elsewhere", "no_contact")),
            approved=draw() < 0.8,
            score=self.random.choice((2, 3, 4, 4, 5)) if draw() < 0.7 else None,
            is_case=draw() < 0.1,
        )

    def _supervisor_of(self, login: str) -> Actor | None:
        boss = SECONDS.get(role_of(login))
        return self.house.actors[boss] if boss is not None else None

    def _wants_more(self, visitor: Visitor, number: int) -> None:
        """A consultant plans a call herself: as a draft, submitted, or approved with guidance; for these days."""
        at = self.calendar.done_at(-self.random.randint(0, 2), self.minute())
        login, draw = visitor.consultant, self.random.random()
        actor, boss = self.house.actors[login], self._supervisor_of(login)
        given: dict[str, Any] = {
            "purpose": self.random.choice(texts.PURPOSES),
            "planned_at": at + timedelta(days=self.random.randint(0, 3), minutes=self.random.randint(60, 400)),
            "is_promised": self.random.random() < 0.2,
            "submit_now": draw > 0.25,
        }

        def play(stage: Stage) -> None:
            if not visitor.customer_id:
                return
            given.update(customer_id=visitor.customer_id, category_id=stage.category("product_advice"))
            key = f"{visitor.key}:plan:{number}"
            made = stage.act("followup_plan.draft", by=actor, at=at, key=key, values=given)
            if boss is not None and draw > 0.6:
                later = at + timedelta(minutes=20)
                values = {"guidance": "重点介绍本月活动，不要压单", "focus_flag": draw > 0.85}
                stage.act("followup_plan.approve", by=boss, at=later, key=key, record_id=made.record.id, values=values)

        self.tell(at, play)

    def contact_again(self, visitor: Visitor, day: int, minute: float, category: str, key: str) -> None:
        """One more contact of a known customer, as long as the amount of contacts allows."""
        if self.contacts_left <= 0:
            return
        self.contacts_left -= 1
        asks = texts.REBOOK_ASKS if category == "rebooking" else texts.AGAIN_ASKS
        content, outcome = self.random.choice(asks), self.random.choice(texts.AGAIN_OUTCOMES)
        self.contact(visitor, day, minute, category, content, outcome, key=key)

    def _idle_contact(self, visitor: Visitor) -> None:
        """A known customer calls again; sometimes nobody answers, sometimes a colleague does (撞单)."""
        self.contacts_left -= 1
        day = self.random.randint(min(visitor.day + 1, -1), -1) if visitor.day < 0 else 0
        minute = self.minute() if visitor.day < day else max(visitor.minute + 20, 19 * 60 + 40)
        chance = self.random.random()
        key = f"again:{self.contacts_left}"
        missed = chance < 0.1 and visitor.phone is not None
        colleague = 0.1 <= chance < 0.22 and visitor.channel is Channel.PHONE
        login = self.cast.consultant(Channel.PHONE) if missed or colleague else None
        category = self.random.choice(("price_enquiry", "item_enquiry", "aftercare", "membership", "complaint"))
        content = None if missed else self.random.choice(texts.AGAIN_ASKS)
        outcome = self.random.choice(texts.MISSED_OUTCOMES if missed else texts.AGAIN_OUTCOMES)
        self.contact(visitor, day, minute, category, content, outcome, key=key, login=login, missed=missed)

    def _chat(self, visitor: Visitor, said: str) -> dict[str, str]:
        random = self.random
        return {
            "chat_id": f"SWT{random.randrange(10**9, 10**10)}",
            "landing_page": random.choice(texts.LANDING_PAGES),
            "keyword": random.choice(texts.SEARCH_WORDS),
            "chat_text": texts.chat_text(said, visitor.wish),
            "quality": random.choice(("strong", "fair", "fair", "weak")),
        }

    def _stranger(self, number: int) -> None:
        """Wrong numbers, silence, job seekers, advertising: every contact is registered. R-2.1.1-1."""
        random = self.random
        day = random.randint(OLDEST, -1) if random.random() < 0.99 else 0
        minute, caller = self.minute(), self.cast.numbers.next()
        missed = random.random() < MISSED_SHARE
        category, _weight, said, came = random.choices(texts.STRANGERS, [row[1] for row in texts.STRANGERS])[0]
        chats = category == "item_enquiry" and not missed
        login = self.cast.consultant(Channel.WEB_CHAT if chats else Channel.PHONE)
        content, outcome = random.choice(said), random.choice(texts.MISSED_OUTCOMES if missed else came)
        at, actor = self.calendar.done_at(day, minute), self.house.actors[login]
        key = f"{self.house.branch.code}:stranger:{number}"
        rings = random.randint(5, 12) if missed else random.randint(1, 5)
        chat_id = f"SWT{random.randrange(10**9, 10**10)}"
        records: list[int] = []

        def register(stage: Stage) -> None:
            values: dict[str, Any] = {
                "business_category_id": stage.item("business_category", "other" if missed else category)
            }
            if chats:
                quality = stage.item("lead_quality", "no_contact")
                values |= {"content": content, "outcome": outcome, "chat_id": chat_id, "lead_quality_id": quality}
                stage.act("contact_record.register_chat", by=actor, at=at, key=key, values=values)
                return
            values |= {"caller_no": caller, "ring_count": rings, "outcome": outcome}
            values |= {"missed": Answered.MISSED} if missed else {"missed": Answered.ANSWERED, "content": content}
            answer = stage.act("contact_record.register_call", by=actor, at=at, key=key, values=values)
            records.append(answer.record.id)

        self.tell(at, register)
        if missed:
            self.return_call(records, day, minute, login, key)

    # --- the clock ----------------------------------------------------------------------------------------------

    def _evenings(self) -> None:
        """The daily report of the last days, and notices read at the end of yesterday."""
        for day in range(-REPORT_DAYS, 0):
            self._daily_reports(self.calendar.exactly(day, EVENING))
        everybody = [actor.employee_id for actor in self.house.actors.values() if actor.employee_id is not None]
        at = self.calendar.exactly(-1, EVENING + 1)
        self.tell(at, lambda stage: stage.read_notices(everybody, at))

    def _daily_reports(self, at: datetime) -> None:
        self.tell(at, lambda stage: stage.daily_reports(self.house.branch, at.date(), at))
