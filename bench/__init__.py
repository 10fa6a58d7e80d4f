"""How fast the house is: `python -m bench.run`. What was measured stands in README.md beside this file."""
