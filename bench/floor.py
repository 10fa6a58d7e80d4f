"""The floor: a page of the same slips, written by hand with Flask, SQLAlchemy Core and Jinja alone.

It knows nobody, checks nothing and hides nothing; what our list costs above it is the price of the panel.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import Engine, func, select

from app.models.appointments import AppointmentSlip
from app.models.customers import Customer
from app.models.hr import Department, Employee

PAGE = """<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>预约单</title></head><body>
<h1>个人预约单查询</h1>
<table><thead><tr><th>单号<th>顾客<th>预约时间<th>意向<th>责任人<th>部门<th>状态</tr></thead><tbody>
{% for row in rows %}<tr><td><a href="/slip/{{ row.id }}">{{ row.slip_no }}</a>
<td>{{ row.name }} {{ row.customer_no }}<td>{{ row.appointed_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") }}
<td>{{ row.intention }}<td>{{ row.owner }}<td>{{ row.department }}<td>{{ row.state }}</tr>
{% endfor %}</tbody></table><p>{{ total }}</p></body></html>"""


def floor_app(engine: Engine, owner_id: int) -> Flask:
    """Return an application with one page: the owner's newest 25 slips and how many there are."""
    app = Flask("bench.floor")
    template = app.jinja_env.from_string(PAGE)
    slip, zone = AppointmentSlip, ZoneInfo("Asia/Shanghai")
    mine = (slip.owner_id == owner_id) | (slip.preferred_consultant_id == owner_id)
    rows = (
        select(
            slip.id, slip.slip_no, slip.appointed_at, slip.intention, slip.state,
            Customer.name, Customer.customer_no,
            Employee.name.label("owner"), Department.name.label("department"),
        )
        .join(Customer, Customer.id == slip.customer_id)
        .join(Employee, Employee.id == slip.owner_id)
        .join(Department, Department.id == slip.department_id)
        .where(mine).order_by(slip.id.desc()).limit(25)
    )  # fmt: skip
    count = select(func.count()).select_from(slip).where(mine)

    @app.get("/")
    def page() -> str:
        with engine.connect() as connection:
            found = connection.execute(rows).all()
            total = connection.execute(count).scalar_one()
        return template.render(rows=found, total=total, zone=zone)

    return app
