"""What goes on paper: facts gathered into frozen dataclasses, handed to a template.

Importing this package declares every printed form and every report: each module of it.
"""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
