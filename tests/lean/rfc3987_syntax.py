"""Stands in front of a package that only the tools of the tests bring: jsonschema loads it wherever it finds it, and it
takes two seconds in each of the many processes that the tests start. A house that is installed does without as well.
"""

raise ImportError("the tests do without it")
