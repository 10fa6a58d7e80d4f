"""`python -m app.ops <command>`: the commands of `run.py` in the environment that is active, installing nothing."""

import sys

from app.ops import cli
from run import parse

sys.exit(cli.main(*parse(sys.argv[1:])))
