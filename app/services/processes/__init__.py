"""作业流程: the white paper's headings, kept as reference data; who explains which screen. `process_guide`."""

from app.services.processes.explaining import Explained, coming_headings, explained, flow, known_names, with_neighbours
from app.services.processes.keeping import ensure_processes
from app.services.processes.texts import Heading, headings

__all__ = [
    "Explained",
    "Heading",
    "coming_headings",
    "ensure_processes",
    "explained",
    "flow",
    "headings",
    "known_names",
    "with_neighbours",
]
