"""Personal data: looks at what is masked, exports, consents, the persons' own requests. H.2, L13."""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
