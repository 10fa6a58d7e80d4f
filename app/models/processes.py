"""作业流程: what the white paper says of each of its headings, and what a branch adds to it.

White paper 0.2: "Keep these as documentation fields of each screen (`process_guide`)"; part B, part I.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Branched, Recorded, Retirable, Scope, col
from app.models.hr import Branch
from app.words import _l, locale_in_force


class ProcessGuide(Recorded, Base):
    """One numbered heading: who does it, who answers for it, what comes before, what it explains.

    ``prev_step`` holds the numbers of other headings and ``explains`` the names of tables, further lists, reports
    and acts (``appointment_slip.void``), both parted by blanks; the next steps are who names this one.
    """

    __tablename__ = "process_guide"
    TITLE, TITLES = _l("Process of work"), _l("Processes")
    SCOPE = Scope(shared=True)
    __table_args__ = (CheckConstraint(r"heading_no ~ '^([0-9]+(\.[0-9]+)*|S[0-9]?)$'", name="heading_shape"),)

    heading_no: Mapped[str] = mapped_column(
        String(20),
        unique=True,
        info=col(_l("Heading"), _l("As the white paper numbers it, such as 2.1.3.1."), search=True),
    )
    position: Mapped[int] = mapped_column(default=10_000, server_default="10000", info=col(_l("Order")))
    title: Mapped[str] = mapped_column(String(120), info=col(_l("Chinese name"), search=True))
    title_en: Mapped[str] = mapped_column(String(120), info=col(_l("English name"), search=True))
    involved_groups: Mapped[str | None] = mapped_column(String(200), info=col(_l("Groups involved")))
    executor: Mapped[str | None] = mapped_column(String(200), info=col(_l("Executor"), search=True))
    manager: Mapped[str | None] = mapped_column(String(200), info=col(_l("Manager")))
    supervisor: Mapped[str | None] = mapped_column(String(200), info=col(_l("Supervisor")))
    prev_step: Mapped[str | None] = mapped_column(
        String(200), info=col(_l("Previous steps"), _l("Numbers of headings, with a blank between them."))
    )
    explains: Mapped[str | None] = mapped_column(
        String(1000), info=col(_l("Explains"), _l("Names of tables, pages and acts, with a blank between them."))
    )
    is_stated: Mapped[bool] = mapped_column(
        default=False,
        server_default="false",
        info=col(_l("In the words of the white paper"), _l("Otherwise only its title is; the rest is usual practice.")),
    )
    remark: Mapped[str | None] = mapped_column(String(1000), info=col(_l("Remark"), multiline=True))

    steps: Mapped[list[ProcessStep]] = relationship(
        lazy="select", back_populates="guide", order_by="ProcessStep.position, ProcessStep.id"
    )

    @property
    def name(self) -> str:
        """The title in the reader's language."""
        return self.title_en if locale_in_force() == "en" else self.title

    def __str__(self) -> str:
        return f"{self.heading_no} {self.name}"


class ProcessStep(Recorded, Retirable, Base):
    """A line of a heading's step table: 步骤, 说明, 对应模块/功能. Retired, it is shown no more."""

    __tablename__ = "process_step"
    TITLE, TITLES = _l("Step of a process"), _l("Steps of processes")
    SCOPE = Scope(shared=True)
    __table_args__ = (UniqueConstraint("guide_id", "position"),)

    guide_id: Mapped[int] = mapped_column(ForeignKey("process_guide.id"), index=True, info=col(_l("Process of work")))
    position: Mapped[int] = mapped_column(info=col(_l("Order")))
    step: Mapped[str] = mapped_column(String(120), info=col(_l("Step"), search=True))
    explanation: Mapped[str | None] = mapped_column(String(1000), info=col(_l("Explanation"), multiline=True))
    module: Mapped[str | None] = mapped_column(
        String(200), info=col(_l("Module"), _l("The menu path, if there is one."))
    )

    guide: Mapped[ProcessGuide] = relationship(lazy="select", back_populates="steps")

    def __str__(self) -> str:
        return self.step


class ProcessRemark(Recorded, Branched, Retirable, Base):
    """What a branch adds to a heading: its own rule, its own habit. White paper 2.1.2.

    "预约单的具体管理规则以所属分公司制度为准".
    """

    __tablename__ = "process_remark"
    TITLE, TITLES = _l("Branch's remark on a process"), _l("Branches' remarks on processes")
    SCOPE = Scope(branch="branch_id")
    __table_args__ = (UniqueConstraint("guide_id", "branch_id"),)

    guide_id: Mapped[int] = mapped_column(ForeignKey("process_guide.id"), index=True, info=col(_l("Process of work")))
    remark: Mapped[str] = mapped_column(String(1000), info=col(_l("Remark"), multiline=True, search=True))

    guide: Mapped[ProcessGuide] = relationship(lazy="select")
    branch: Mapped[Branch] = relationship(lazy="select")

    def __str__(self) -> str:
        return f"{self.guide.heading_no} · {self.branch}"
