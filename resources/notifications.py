"""Sinks: where people are told of incidents, and the delivery of the outbox to them.

A notification waits in the outbox until its sink has taken it. It is marked after it was sent, so a crash in between
sends it again: at least once, never lost. Nothing here knows a value of a row.
"""

import logging
import smtplib
import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

if TYPE_CHECKING:
    from resources.operations import Operations

LOGGER = logging.getLogger("c360.notifications")
BODY = ("event", "dataset", "rule", "severity", "message", "as_of", "run_id")
THIS_MACHINE = ("127.0.0.1", "localhost")
SMTP_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Delivery:
    """What came of one delivery: notifications that were taken, and attempts that failed."""

    delivered: int
    failed: int


class Refused(Exception):
    """A sink that answered, but not with yes. The text is ours and safe to keep."""


class Sink(BaseModel):
    """What all sinks share: a name, by which their notifications wait in the outbox, and no key but those declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str

    def send(self, notification: Mapping[str, Any]) -> None:
        """Send one row of the outbox; any error means that it was not taken."""
        raise NotImplementedError


class LogSink(Sink):
    """The log of the process: Python's logger `c360.notifications`."""

    type: Literal["log"] = "log"
    name: str = "log"

    def send(self, notification: Mapping[str, Any]) -> None:
        """Log the message: a warning, or information where an incident is over."""
        level = logging.INFO if notification["event"] == "resolved" else logging.WARNING
        LOGGER.log(level, "%s", notification["message"])


class SmtpSink(Sink):
    """Mail, through a server that is spoken to encrypted (`starttls`) unless it is on this machine."""

    type: Literal["smtp"] = "smtp"
    name: str = "smtp"
    host: str
    port: int = 587
    sender: str
    recipients: Annotated[tuple[str, ...], Field(min_length=1)]
    starttls: bool = True
    username: str | None = None
    password: SecretStr | None = None

    @model_validator(mode="after")
    def _check_password(self) -> "SmtpSink":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        if self.password and not self.starttls and self.host not in THIS_MACHINE:
            raise ValueError("a password is only sent encrypted: leave starttls on")
        return self

    def send(self, notification: Mapping[str, Any]) -> None:
        """Mail the message to all recipients; those refused while others were taken are only logged, as a number."""
        with smtplib.SMTP(self.host, self.port, timeout=SMTP_TIMEOUT_SECONDS) as server:
            if self.starttls:
                server.starttls(context=ssl.create_default_context())
            if self.username and self.password:
                server.login(self.username, self.password.get_secret_value())
            refused = server.send_message(self._mail(notification))
        if refused:
            LOGGER.warning("%s: %d of %d recipients refused", self.name, len(refused), len(self.recipients))

    def _mail(self, notification: Mapping[str, Any]) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Subject"] = _title(notification)
        # Sent twice it bears the same id, by which mail programs show it once.
        mail["Message-ID"] = f"<{uuid.uuid5(uuid.NAMESPACE_URL, notification['notification_id'])}@customer-360>"
        mail.set_content(notification["message"])
        return mail


class WebhookSink(Sink):
    """An address that takes JSON by POST, encrypted unless it is on this machine."""

    type: Literal["webhook"] = "webhook"
    name: str = "webhook"
    url: Annotated[str, Field(repr=False)]
    timeout_seconds: Annotated[float, Field(gt=0)] = 10

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        if not host or (scheme != "https" and not (scheme == "http" and host in THIS_MACHINE)):
            raise ValueError("must begin with https:// (http:// on this machine only)")
        return url

    def send(self, notification: Mapping[str, Any]) -> None:
        """Post the notification; any answer but 2xx is a refusal, and a redirection is not followed."""
        import requests

        body = {name: notification[name] for name in BODY} | {"as_of": notification["as_of"].isoformat()}
        timeout = self.timeout_seconds
        with requests.post(self.url, json=body, timeout=timeout, allow_redirects=False, stream=True) as answer:
            if not 200 <= answer.status_code < 300:
                raise Refused(f"answered {answer.status_code}")


class AppriseSink(Sink):
    """A service that Apprise knows, by its address there: a channel of Slack or Teams, a phone, a ticket system.

    What has a form of its own for messages is reached so, where a webhook posts ours.
    """

    type: Literal["apprise"] = "apprise"
    name: str = "apprise"
    url: SecretStr

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        service = _service(url)
        if service is None:
            raise ValueError("is no address that Apprise knows, such as slack://TOKEN_A/TOKEN_B/TOKEN_C/#channel")
        plain = [service.protocol] if isinstance(service.protocol, str) else service.protocol or ()
        if urlsplit(url.get_secret_value()).scheme in plain and service.host not in THIS_MACHINE:
            raise ValueError("must be of an encrypted kind, such as jsons:// for json:// (on this machine either)")
        return url

    def send(self, notification: Mapping[str, Any]) -> None:
        """Hand the message over; why a service did not take it, Apprise logs and does not return."""
        import apprise

        kinds = {"resolved": apprise.NotifyType.SUCCESS, "error": apprise.NotifyType.FAILURE}
        kind = kinds.get(notification["event"]) or kinds.get(notification["severity"], apprise.NotifyType.WARNING)
        service = _service(self.url)
        if service is None or not service.notify(notification["message"], title=_title(notification), notify_type=kind):
            raise Refused("the service did not take it")


def _service(url: SecretStr) -> Any:
    """What Apprise makes of an address, None where it knows no such thing; in silence, as it would quote the secret."""
    import apprise

    known = logging.getLogger("apprise")
    level = known.level
    known.setLevel(logging.CRITICAL)
    try:
        return apprise.Apprise.instantiate(url.get_secret_value())
    finally:
        known.setLevel(level)


def _title(notification: Mapping[str, Any]) -> str:
    return "[{severity}] {dataset}: {rule} {event}".format_map(notification)


AnySink = Annotated[AppriseSink | LogSink | SmtpSink | WebhookSink, Field(discriminator="type")]


def deliver(operations: "Operations", sinks: Sequence[Sink]) -> Delivery:
    """Send what waits in the outbox, sink by sink in the order it was stored, at least once.

    After a failure the rest of that sink's notifications wait for the next delivery; the other sinks go on. The outbox
    counts the attempts and keeps the latest problem. What waits for a sink that is not among `sinks` goes on waiting.
    """
    delivered = failed = 0
    for sink in sinks:
        for notification in _waiting(operations, sink):
            problem = _attempt(sink, notification)
            _note(operations, notification, problem)
            if problem:
                failed += 1
                break
            delivered += 1
    return Delivery(delivered, failed)


def _waiting(operations: "Operations", sink: Sink) -> list[dict[str, Any]]:
    import sqlalchemy as sa

    outbox = operations.table("notifications")
    waiting = sa.select(outbox).where(outbox.c.sink == sink.name, sa.not_(outbox.c.delivered))
    with operations.begin() as connection:
        ordered = waiting.order_by(outbox.c.sequence, outbox.c.notification_id)
        return [row._asdict() for row in connection.execute(ordered)]


def _attempt(sink: Sink, notification: Mapping[str, Any]) -> str | None:
    try:
        sink.send(notification)
    except Exception as fault:  # whatever is wrong with one sink, the others have a right to theirs
        return _problem(fault)
    return None


def _problem(fault: Exception) -> str:
    """What went wrong, in words that are safe to keep: those of libraries may hold addresses, passwords and tokens."""
    kind = type(fault).__name__
    if isinstance(fault, Refused):
        return f"{kind}: {fault}"
    if isinstance(fault, smtplib.SMTPResponseException):
        return f"{kind}: answered {fault.smtp_code}"
    if isinstance(fault, OSError) and fault.errno and fault.strerror:
        return f"{kind}: {fault.strerror}"
    return kind


def _note(operations: "Operations", notification: Mapping[str, Any], problem: str | None) -> None:
    import sqlalchemy as sa

    outbox = operations.table("notifications")
    said = {"last_problem": problem} if problem else {"delivered": True}
    with operations.begin() as connection:
        connection.execute(
            sa.update(outbox)
            .where(
                outbox.c.notification_id == notification["notification_id"],
                outbox.c.sink == notification["sink"],
            )
            .values(attempts=outbox.c.attempts + 1, **said)
        )
