"""What goes on paper: facts gathered into frozen dataclasses, handed to a template."""
