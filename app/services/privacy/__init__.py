"""Personal data: looks at what is masked, exports, consents, the persons' own requests, keys. White paper H, L13, H.2."""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
