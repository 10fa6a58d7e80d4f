"""The demo's customers: who they are, how they came, which consultant took them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from faker import Faker

from app.demo import texts
from app.demo.organisation import House, Partner
from app.demo.texts import TOPICS, Topic, Wish
from app.models.appointments import Channel
from app.models.customers import Sex

OLDEST = -75

#: Share of the desks, and the logins at each.
DESKS: dict[Channel, int] = {Channel.PHONE: 46, Channel.WEB_CHAT: 39, Channel.PARTNER: 15}
CONSULTANTS: dict[Channel, tuple[str, str]] = {
    Channel.PHONE: ("phone_consultant", "phone_consultant_2"),
    Channel.WEB_CHAT: ("web_consultant", "web_consultant_2"),
    Channel.PARTNER: ("channel_specialist", "channel_specialist_2"),
}
SUPERVISORS: dict[Channel, str] = {
    Channel.PHONE: "phone_supervisor",
    Channel.WEB_CHAT: "web_supervisor",
    Channel.PARTNER: "channel_supervisor",
}
SOURCES: dict[Channel, dict[str, int]] = {
    Channel.PHONE: {
        "phone_400": 38,
        "referral_customer": 14,
        "media_outdoor": 12,
        "phone_sms": 9,
        "natural_passing": 9,
        "media_tv": 5,
        "referral_staff": 4,
        "media_radio": 3,
        "media_print": 2,
        "referral_doctor": 2,
        "natural_dental": 2,
    },
    Channel.WEB_CHAT: {
        "web_search": 34,
        "web_social": 26,
        "web_platform": 16,
        "web_chat": 10,
        "web_site": 7,
        "web_live": 5,
        "referral_customer": 2,
    },
}
#: Areas of the customers per branch, nearer ones more often.
AREAS: dict[str, dict[str, int]] = {
    "01": {
        "xuhui": 26,
        "minhang": 14,
        "changning": 12,
        "huangpu": 10,
        "jingan": 9,
        "putuo": 6,
        "songjiang": 6,
        "pudong": 6,
        "country": 5,
        "province": 4,
        "qingpu": 2,
    },
    "02": {
        "pudong": 52,
        "yangpu": 9,
        "huangpu": 8,
        "hongkou": 6,
        "minhang": 5,
        "fengxian": 4,
        "country": 7,
        "province": 5,
        "baoshan": 3,
        "abroad": 1,
    },
}


@dataclass
class Visitor:
    """A customer of the demo. The fields from ``customer_id`` on are filled in as her story is played."""

    key: str
    channel: Channel
    consultant: str
    topic: Topic
    wish: Wish
    day: int
    minute: float
    name: str | None
    alias: str | None
    sex: Sex
    age: int | None
    phone: str | None
    wechat: str | None
    qq: str | None
    area: str
    source: str
    note: str | None
    partner: Partner | None
    referrer: Visitor | None = None
    recorded: bool = True
    booked: bool = False
    customer_id: int = 0
    record_id: int | None = None
    slip_id: int = 0


@dataclass
class Numbers:
    """Telephone numbers, each given once."""

    fake: Faker
    given: set[str] = field(default_factory=set)

    def next(self) -> str:
        while True:
            number = str(self.fake.phone_number())
            if number not in self.given:
                self.given.add(number)
                return number


def drawn(random: Random, weights: dict[str, int]) -> str:
    """Return a key, the weightier ones more often."""
    return random.choices(list(weights), list(weights.values()))[0]


@dataclass
class Casting:
    """Finds the customers of one branch."""

    house: House
    random: Random
    fake: Faker
    numbers: Numbers
    found: int = 0

    def channel(self) -> Channel:
        return self.random.choices(list(DESKS), list(DESKS.values()))[0]

    def consultant(self, channel: Channel) -> str:
        """Return who takes a contact: one of the two consultants, seldom the supervisor."""
        return self.random.choices([*CONSULTANTS[channel], SUPERVISORS[channel]], [48, 46, 6])[0]

    def visitor(self, day: int, minute: float, *, booked: bool = False) -> Visitor:
        """Return a customer who makes herself known on a day."""
        random, channel = self.random, self.channel()
        self.found += 1
        partner = random.choice(self.house.partners) if channel is Channel.PARTNER else None
        topic = random.choices(TOPICS, [topic.weight for topic in TOPICS])[0]
        name, alias, sex = self._name()
        phone, wechat, qq = self._contacts(channel)
        return Visitor(
            key=f"{self.house.branch.code}:{self.found}",
            channel=channel,
            consultant=self.consultant(channel),
            topic=topic,
            wish=texts.wish_about(random, topic),
            day=day,
            minute=minute,
            name=name,
            alias=alias,
            sex=sex,
            age=min(62, max(19, round(random.gauss(32, 8)))) if random.random() < 0.8 else None,
            phone=phone,
            wechat=wechat,
            qq=qq,
            area=drawn(random, AREAS[self.house.branch.code]),
            source=partner.source if partner is not None else drawn(random, SOURCES[channel]),
            note=random.choice(texts.NOTES) if random.random() < 0.12 else None,
            partner=partner,
            booked=booked,
        )

    def _name(self) -> tuple[str | None, str | None, Sex]:
        """Return name, alias and sex; one in eight gives no full name at first."""
        random = self.random
        sex = Sex.MALE if random.random() < 0.11 else Sex.FEMALE
        name = str(self.fake.name_male() if sex is Sex.MALE else self.fake.name_female())
        chance = random.random()
        if chance < 0.12:
            called = "先生" if sex is Sex.MALE else random.choice(texts.ALIASES)
            return None, (random.choice(texts.NICKNAMES) if random.random() < 0.4 else name[0] + called), sex
        return name, (random.choice(texts.NICKNAMES) if chance < 0.2 else None), sex

    def _contacts(self, channel: Channel) -> tuple[str | None, str | None, str | None]:
        """Return telephone, WeChat and QQ: who calls has a number, who chats may leave something else."""
        chance = self.random.random()
        number = self.numbers.next()
        if channel is Channel.PHONE or chance < 0.72:
            wechat = f"wx{number[-8:]}" if chance < 0.15 else None
            return number, wechat, None
        if chance < 0.96:
            return None, f"wxid_{self.random.randrange(16**8):08x}", None
        return None, None, str(self.random.randrange(10**8, 10**10))
