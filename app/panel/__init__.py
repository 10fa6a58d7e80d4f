"""The machinery: turns declarations into Flask-AppBuilder views, dialogs, REST, search and exports."""
