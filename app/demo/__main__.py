"""``python -m app.demo <place> <share> <now>``: the helper that plays the story of one branch; see ``loading``."""

from __future__ import annotations

import sys
from datetime import datetime

from app import create_app
from app.demo.loading import load_branch

place, share, now = sys.argv[1:]
load_branch(create_app(), int(place), float(share), datetime.fromisoformat(now))
