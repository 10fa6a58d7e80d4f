"""How fast customers are imported: ``python -m bench.imports [rows]``, on the database of the environment.

The whole way is taken: a workbook is made, handed in, checked and carried out by the acts and by the worker's own
function. Memory is the process's peak.
"""

from __future__ import annotations

import io
import random
import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

from openpyxl import Workbook
from sqlalchemy import select

LIMIT = 180.0
ROWS = 20_000
HEADS = ["姓名", "手机", "性别", "生日", "来源", "区域", "职业", "备注"]


def workbook(rows: int, seed: int) -> bytes:
    """Return a workbook of so many invented customers with numbers that nobody has."""
    chance = random.Random(seed)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("客户")
    sheet.append(HEADS)
    first = 13_000_000_000 + seed % 9000 * 100_000
    for number in range(rows):
        name = chance.choice("王李张刘陈杨赵黄周吴") + chance.choice("雨静敏娜芳雪婷丽") + chance.choice("欣怡涵琪萱")
        born = f"{chance.randint(1960, 2005)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
        sheet.append([name, str(first + number), chance.choice("女男"), born, None, "黄浦区", "教师", "旧系统导入"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def main(rows: int = ROWS) -> int:
    """Import so many customers and tell how long each part took; 1 if the limit is passed."""
    from app import create_app
    from app.extensions import db

    app = create_app()
    with app.app_context():
        session = db.session()
        taken = _import(session, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, seconds in taken.items():
        print(f"{name:12} {seconds:7.1f} s")
    total = taken["check"] + taken["carry out"]
    print(f"{rows:,} customers in {total:.1f} s ({rows / total:.0f} a second), peak {peak:.0f} MB")
    return int(total > LIMIT * rows / ROWS)


def _import(session: Any, rows: int) -> dict[str, float]:
    from app.acts import REGISTRY
    from app.models.base import METADATA
    from app.models.files import FilePurpose
    from app.models.imports import ImportBatch, ImportOf
    from app.models.tasks import BackgroundTask
    from app.services.files import take_in
    from app.services.hr import actor_for_user
    from app.services.runner import run
    from app.services.tasks import perform
    from app.unit import unit_of_work

    user = METADATA.tables["ab_user"]
    by = actor_for_user(session, session.scalar(select(user.c.id).where(user.c.username == "it_manager")))
    at = datetime.now(UTC)
    taken: dict[str, float] = {}

    def timed(name: str, call: Any) -> Any:
        began = time.perf_counter()
        found = call()
        taken[name] = time.perf_counter() - began
        return found

    content = workbook(rows, seed=int(time.time()))
    with unit_of_work(session):
        file_id = take_in(
            session, content, "customers.xlsx", purpose=FilePurpose.IMPORT, field="file_id", by=by, at=at
        ).id

    def do(name: str, record_id: int | None = None, **values: Any) -> Any:
        act = REGISTRY.find("import_batch", name)
        assert act is not None
        return run(session, act, by=by, at=at, record_id=record_id, values=values).record

    def work() -> None:
        task = session.scalars(select(BackgroundTask).order_by(BackgroundTask.id.desc()).limit(1)).one()
        key, job = task.id, task.job_id
        session.rollback()
        perform(session, key, job)

    batch_id = timed("hand in", lambda: do("upload", kind=ImportOf.CUSTOMERS, file_id=file_id)).id
    do("check", batch_id)
    timed("check", work)
    do("carry_out", batch_id)
    timed("carry out", work)
    batch = session.get_one(ImportBatch, batch_id, populate_existing=True)
    assert batch.rows_made == rows, (batch.state, batch.rows_made, batch.rows_left_out)
    return taken


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:2])))
