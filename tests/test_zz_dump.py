import re
from tests.test_translations_on_pages import *
def test_dump(login, world):
    c=login("phone_supervisor")
    urls=["/","/phone_desk/list/","/contact_record/act/register_call","/appointment_slip/list/","/redo_slips/list/","/my_followups/list/","/notice/list/?tab=all","/report/appointment_daily/","/appointment_slip/place","/customer/register_temporary"]
    from app.models.appointments import AppointmentSlip
    ids=[s.id for s in world.scalars(select(AppointmentSlip))]
    urls+= [f"/appointment_slip/show/{i}" for i in ids[4:9]]
    page=c.get("/").text
    urls+=[l for l in Reading(page).links if "act" in l or "regist" in l or "place" in l][:6]
    out=[]
    for u in urls:
        r=c.get(u); 
        t=[x for x,_ in Reading(r.text.partition("<main")[2]).read]
        out.append(f"=== {u} {r.status_code}\n"+" | ".join(t))
        l=[x for x in Reading(r.text).links]
    for i in ids[4:9]:
        r=c.get(f"/appointment_slip/show/{i}")
        for l in Reading(r.text).links:
            if re.search(r"/appointment_slip/\d+/|/act/",l): 
                q=c.get(l)
                if "html" not in q.content_type: continue
                out.append(f"=== {l} {q.status_code}\n"+" | ".join(x for x,_ in Reading(q.text.partition('<main')[2]).read))
    open("/tmp/dump.txt","w").write("\n".join(out))
