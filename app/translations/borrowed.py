"""Sentences of the framework that our pages show. Listed only to be translated with our own; nothing imports this.

The framework's Chinese catalogue lacks some and words others badly; ours is loaded after it and wins.
"""

from app.words import _l

LOGIN = (_l("Invalid login. Please try again."), _l("Access is Denied"))
OWN_PASSWORD = (
    _l("Reset Password Form"),
    _l("Password"),
    _l("Please use a good password policy, this application does not check this for you"),
    _l("Confirm Password"),
    _l("Please rewrite the password to confirm"),
    _l("Passwords must match"),
    _l("Password Changed"),
)
