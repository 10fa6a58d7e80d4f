"""Mail out of the house, by the operator's server: one message handed over, or a reason why not.

Python's own ``smtplib`` and ``email`` do it. What the server certainly did not take may be tried again; what it perhaps
took is not: nobody gets the same mail twice. Decision 0035.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr

from app.services.settings import setting
from app.words import _, _l

ATTACHES = setting(
    "mail.attach_reports",
    _l("Subscribed reports are attached to their mail"),
    "no",
    "switch",
    help=_l("If no, a mail holds the report's name and a link; the figures stay in the house."),
    source="L15",
)
MOST_ATTACHED = 8 * 1024 * 1024
TIMEOUT = 20.0


@dataclass(frozen=True)
class Server:
    """Where mail is handed over. ``security``: tls (from the first byte), starttls, or none."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = TIMEOUT
    ca_file: str = ""

    @property
    def sender_address(self) -> str:
        """Return the sender without the name before it."""
        return parseaddr(self.sender)[1]


class Unsent(Exception):
    """The server did not take the message. ``later``: it may take it another time."""

    def __init__(self, said: str, *, later: bool) -> None:
        super().__init__(said)
        self.said, self.later = said[:500], later


class Unsure(Exception):
    """The message was told, and nobody knows whether the server took it."""


_server: Server | None = None
_public_url = ""


def configure(server: Server | None, public_url: str = "") -> None:
    """Install the mail server of this process; None: mail is not set up. ``public_url`` begins the links in mails."""
    global _server, _public_url
    _server, _public_url = server, public_url.rstrip("/")


def is_set_up() -> bool:
    """Say whether mail can be sent at all."""
    return _server is not None


def link_to(path: str) -> str:
    """Return a path of ours as it stands in a mail; without a public address there is none."""
    return f"{_public_url}{path}" if _public_url else ""


def letter(to: str, subject: str, text: str, message_id: str) -> EmailMessage:
    """Return a message of plain text to one person."""
    assert _server is not None
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = _server.sender, to, subject
    message["Message-ID"], message["Date"] = message_id, formatdate()
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def send(message: EmailMessage) -> None:
    """Hand a message over. Raises ``Unsent`` if the server did not take it, ``Unsure`` if nobody knows."""
    if _server is None:
        raise Unsent(_("No mail server is set up."), later=False)
    with _conversation(_server) as server:
        try:
            server.ehlo_or_helo_if_needed()
            _accepted(server.mail(_server.sender_address))
            _accepted(server.rcpt(str(message["To"])))
        except (smtplib.SMTPException, OSError) as wrong:
            raise Unsent(_words(wrong), later=True) from wrong
        _tell(server, message)


def _tell(server: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        _accepted(server.data(message.as_bytes()))
    except smtplib.SMTPDataError as wrong:  # it did not want to hear the message
        raise Unsent(_words(wrong), later=400 <= wrong.smtp_code < 500) from wrong
    except (smtplib.SMTPException, OSError) as wrong:
        raise Unsure(_words(wrong)) from wrong


@contextlib.contextmanager
def _conversation(at: Server) -> Iterator[smtplib.SMTP]:
    """Connect, encrypt and log in; a password never travels in clear."""
    context = ssl.create_default_context()
    if at.ca_file:
        context.load_verify_locations(at.ca_file)
    try:
        if at.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(at.host, at.port, timeout=at.timeout, context=context)
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=at.timeout)
    except (smtplib.SMTPException, OSError) as wrong:
        raise Unsent(_words(wrong), later=True) from wrong
    try:
        try:
            if at.security == "starttls":
                server.starttls(context=context)
            if at.user:
                server.login(at.user, at.password)
        except (smtplib.SMTPException, OSError) as wrong:
            raise Unsent(_words(wrong), later=not _is_final(wrong)) from wrong
        yield server
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _accepted(answer: tuple[int, bytes]) -> None:
    """Raise ``Unsent`` for an answer that is a no: above 500 for good, else for now."""
    code, said = answer
    if code >= 400:
        raise Unsent(f"{code} {said.decode('utf-8', 'replace')}", later=code < 500)


def _is_final(wrong: Exception) -> bool:
    """Say whether trying again is of no use: a wrong password, a server that cannot encrypt, a foreign certificate."""
    if isinstance(wrong, smtplib.SMTPAuthenticationError):
        return wrong.smtp_code >= 500
    return isinstance(wrong, smtplib.SMTPNotSupportedError | ssl.SSLCertVerificationError)


def _words(wrong: Exception) -> str:
    if isinstance(wrong, smtplib.SMTPResponseException):
        said = wrong.smtp_error
        return f"{wrong.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    return f"{type(wrong).__name__}: {wrong}"
