"""What is: columns, constraints, legal moves. Importing this package declares every table: each module of it."""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
