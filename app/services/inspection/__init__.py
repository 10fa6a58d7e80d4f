"""检查接待: official visits, openly and completely. Triage SOP S4 as it is lawful; SM-31, L24."""

from app.services.inspection import receiving, rectifying

__all__ = ["receiving", "rectifying"]
