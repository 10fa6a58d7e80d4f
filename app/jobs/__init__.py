"""What happens by itself: declared jobs and the clock that runs each of their slots exactly once.

Importing this package declares every job: each module of it but the two processes.
"""

from importlib import import_module
from pkgutil import iter_modules

PROCESSES = {"clock", "worker"}

for _found in iter_modules(__path__):
    if _found.name not in PROCESSES:
        import_module(f"{__name__}.{_found.name}")
