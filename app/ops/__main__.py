"""`python -m app.ops <command>`: the commands of `run.py` in the environment that is active, installing nothing.

The supervisor itself calls `prepare [demo]`, which is no command for people.
"""

import argparse
import sys

from app.ops import cli
from run import parse

if sys.argv[1:2] == ["prepare"]:
    told = argparse.Namespace(command="prepare", home=None, with_demo="demo" in sys.argv[2:])
    sys.exit(cli.main(told, []))
sys.exit(cli.main(*parse(sys.argv[1:])))
