"""Notifications: what each sink sends, what becomes of the outbox where one fails, and what a deployment may say."""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from resources import deployment as deployments
from resources import notifications
from resources.deployment import DeploymentError
from resources.notifications import AppriseSink, Delivery, LogSink, SmtpSink, WebhookSink, deliver
from resources.operations import Operations
from tests.tables import CONTRACTS, day

USER, PASSWORD = "ann", "s3cret-word"
SENDER, RECIPIENTS = "quality@example.com", ("bob@example.com", "eve@example.com")

Row = dict[str, Any]


@pytest.fixture
def operations(tmp_path: Path) -> Iterator[Operations]:
    with closing(Operations(f"sqlite:///{tmp_path / 'operations.db'}", CONTRACTS, [])) as opened:
        yield opened


def put(operations: Operations, sink: str, *rules: str, event: str = "opened") -> None:
    """Into the outbox, one notification per rule in this order."""
    about = {"event": event, "dataset": "sources/orders", "severity": "error", "as_of": day("2026-01-01")}
    state = {"sink": sink, "run_id": "r1", "delivered": False, "attempts": 0, "last_problem": None}
    with operations.begin() as connection:
        for position, rule in enumerate(rules, start=1):
            key = {"notification_id": f"sources/orders|{rule}|{event}|r1", "sequence": position, "rule": rule}
            said = {"message": f"sources/orders: rule {rule} fails on 12 rows"}
            operations.upsert(connection, "notifications", {**about, **state, **key, **said})


def outbox(operations: Operations) -> list[tuple[str, bool, int, str | None]]:
    rows = sorted(operations.rows("notifications").to_pylist(), key=lambda row: (row["sink"], row["sequence"]))
    return [(row["rule"], row["delivered"], row["attempts"], row["last_problem"]) for row in rows]


class Mailbox:
    """A mail server: keeps what it is sent, refuses whom it is told to refuse, lets in who knows the password."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.recipients: list[str] = []
        self.refused: set[str] = set()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refused:
            return f"550 no {address} here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    @staticmethod
    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        is_right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mail_server(mailbox: Mailbox) -> Iterator[Callable[..., int]]:
    """`mail_server(**options)`: the port of a running server that fills `mailbox`."""
    running: list[Controller] = []

    def start(**options: Any) -> int:
        port = free_port()
        controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return port

    yield start
    for controller in running:
        controller.stop()


class Receiver(ThreadingHTTPServer):
    """An HTTP server: keeps what is posted to it, and answers with the next of `answers`, else 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.answers: list[int] = []
        self.posted: list[tuple[str, Row]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token={PASSWORD}"


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append((self.path, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def mail_to(port: int, **options: Any) -> SmtpSink:
    told = {"host": "127.0.0.1", "port": port, "sender": SENDER, "recipients": RECIPIENTS, "starttls": False}
    return SmtpSink(**{**told, **options})


def test_the_log_warns_of_what_fails_and_informs_of_what_is_over(
    operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    put(operations, "log", "a")
    put(operations, "log", "b", event="resolved")
    with caplog.at_level(logging.INFO, "c360.notifications"):
        assert deliver(operations, [LogSink()]) == Delivery(delivered=2, failed=0)
    assert caplog.record_tuples == [
        ("c360.notifications", logging.WARNING, "sources/orders: rule a fails on 12 rows"),
        ("c360.notifications", logging.INFO, "sources/orders: rule b fails on 12 rows"),
    ]


def test_mail_reaches_every_recipient(
    operations: Operations, mailbox: Mailbox, mail_server: Callable[..., int]
) -> None:
    put(operations, "smtp", "key_unique")
    assert deliver(operations, [mail_to(mail_server())]) == Delivery(delivered=1, failed=0)
    (mail,) = mailbox.mails
    assert mailbox.recipients == list(RECIPIENTS)
    assert (mail["From"], mail["To"]) == (SENDER, ", ".join(RECIPIENTS))
    assert mail["Subject"] == "[error] sources/orders: key_unique opened"
    assert mail.get_payload().strip() == "sources/orders: rule key_unique fails on 12 rows"
    assert outbox(operations) == [("key_unique", True, 1, None)]


def test_mail_is_encrypted_before_the_password_is_sent(
    operations: Operations,
    mailbox: Mailbox,
    mail_server: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = certificate_of("localhost", tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    port = mail_server(
        tls_context=context, require_starttls=True, authenticator=mailbox.authenticate, auth_required=True
    )
    sink = mail_to(port, host="localhost", starttls=True, username=USER, password=PASSWORD)
    put(operations, "smtp", "key_unique")
    assert deliver(operations, [sink]) == Delivery(delivered=0, failed=1)
    ((_, _, _, problem),) = outbox(operations)
    assert problem is not None
    assert problem.startswith("SSLCertVerificationError: ")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert deliver(operations, [sink]) == Delivery(delivered=1, failed=0)
    assert len(mailbox.mails) == 1


def test_a_server_without_encryption_gets_nothing(
    operations: Operations, mailbox: Mailbox, mail_server: Callable[..., int]
) -> None:
    put(operations, "smtp", "key_unique")
    assert deliver(operations, [mail_to(mail_server(), starttls=True)]) == Delivery(delivered=0, failed=1)
    assert outbox(operations) == [("key_unique", False, 1, "SMTPNotSupportedError")]
    assert mailbox.mails == []


def test_a_wrong_password_leaves_it_waiting_and_the_right_one_sends_it(
    operations: Operations, mailbox: Mailbox, mail_server: Callable[..., int]
) -> None:
    port = mail_server(authenticator=mailbox.authenticate, auth_require_tls=False)
    put(operations, "smtp", "key_unique")
    for _ in range(2):
        wrong = mail_to(port, username=USER, password="an0ther-word")
        assert deliver(operations, [wrong]) == Delivery(delivered=0, failed=1)
    assert outbox(operations) == [("key_unique", False, 2, "SMTPAuthenticationError: answered 535")]
    assert deliver(operations, [mail_to(port, username=USER, password=PASSWORD)]) == Delivery(delivered=1, failed=0)
    assert outbox(operations) == [("key_unique", True, 3, "SMTPAuthenticationError: answered 535")]
    assert len(mailbox.mails) == 1


def test_one_unknown_recipient_does_not_keep_the_mail_from_the_others(
    operations: Operations,
    mailbox: Mailbox,
    mail_server: Callable[..., int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    mailbox.refused = {RECIPIENTS[0]}
    sink = mail_to(mail_server())
    put(operations, "smtp", "a")
    assert deliver(operations, [sink]) == Delivery(delivered=1, failed=0)
    assert "smtp: 1 of 2 recipients refused" in caplog.text
    mailbox.refused = set(RECIPIENTS)
    put(operations, "smtp", "b")
    assert deliver(operations, [sink]) == Delivery(delivered=0, failed=1)
    assert outbox(operations)[1:] == [("b", False, 1, "SMTPRecipientsRefused")]
    assert not any(recipient in caplog.text for recipient in RECIPIENTS)


def test_a_webhook_is_posted_what_people_need_to_know(operations: Operations, receiver: Receiver) -> None:
    put(operations, "webhook", "key_unique")
    assert deliver(operations, [WebhookSink(url=receiver.url)]) == Delivery(delivered=1, failed=0)
    assert receiver.posted == [
        (
            f"/hook?token={PASSWORD}",
            {
                "event": "opened",
                "dataset": "sources/orders",
                "rule": "key_unique",
                "severity": "error",
                "message": "sources/orders: rule key_unique fails on 12 rows",
                "as_of": "2026-01-01T00:00:00",
                "run_id": "r1",
            },
        )
    ]


def test_a_service_is_given_what_it_makes_a_message_of(operations: Operations, receiver: Receiver) -> None:
    put(operations, "apprise", "key_unique")
    sink = AppriseSink(url=f"json://127.0.0.1:{receiver.server_port}/hook")
    receiver.answers = [503]
    assert deliver(operations, [sink]) == Delivery(delivered=0, failed=1)
    assert outbox(operations) == [("key_unique", False, 1, "Refused: the service did not take it")]
    receiver.answers = [200]
    assert deliver(operations, [sink]) == Delivery(delivered=1, failed=0)
    path, body = receiver.posted[-1]
    assert path == "/hook"
    assert body["title"] == "[error] sources/orders: key_unique opened"
    assert body["message"] == "sources/orders: rule key_unique fails on 12 rows"
    assert body["type"] == "failure"


def test_a_service_that_is_down_tells_no_secret(operations: Operations, caplog: pytest.LogCaptureFixture) -> None:
    put(operations, "apprise", "a")
    nowhere = AppriseSink(url=f"json://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/{PASSWORD}")
    with caplog.at_level(logging.INFO):
        assert deliver(operations, [nowhere]) == Delivery(delivered=0, failed=1)
    assert PASSWORD not in f"{caplog.text} {outbox(operations)} {nowhere!r}"


@pytest.mark.parametrize("answer", [302, 404, 503])
def test_any_answer_but_yes_leaves_it_waiting(answer: int, operations: Operations, receiver: Receiver) -> None:
    receiver.answers = [answer]
    put(operations, "webhook", "key_unique")
    sink = WebhookSink(url=receiver.url)
    assert deliver(operations, [sink]) == Delivery(delivered=0, failed=1)
    assert outbox(operations) == [("key_unique", False, 1, f"Refused: answered {answer}")]
    assert deliver(operations, [sink]) == Delivery(delivered=1, failed=0)
    assert len(receiver.posted) == 2


def test_a_refused_connection_tells_no_secret_and_the_next_delivery_sends(
    operations: Operations, receiver: Receiver, mailbox: Mailbox, mail_server: Callable[..., int]
) -> None:
    put(operations, "webhook", "a")
    put(operations, "smtp", "b")
    nowhere = f"http://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/hook?token={PASSWORD}"
    nobody = mail_to(free_port(), username=USER, password=PASSWORD)
    assert deliver(operations, [WebhookSink(url=nowhere), nobody]) == Delivery(delivered=0, failed=2)
    assert outbox(operations) == [
        ("b", False, 1, "ConnectionRefusedError: Connection refused"),
        ("a", False, 1, "ConnectionError"),
    ]
    sinks = [WebhookSink(url=receiver.url), mail_to(mail_server())]
    assert deliver(operations, sinks) == Delivery(delivered=2, failed=0)
    assert (len(receiver.posted), len(mailbox.mails)) == (1, 1)


def test_a_broken_sink_keeps_its_order_and_holds_up_nobody_else(operations: Operations, receiver: Receiver) -> None:
    broken, whole = (WebhookSink(name=name, url=receiver.url.replace("hook", name)) for name in ("broken", "whole"))
    for sink in (broken, whole):
        put(operations, sink.name, "a", "b", "c")
    receiver.answers = [204, 500]
    assert deliver(operations, [broken, whole]) == Delivery(delivered=4, failed=1)
    assert outbox(operations)[:3] == [
        ("a", True, 1, None),
        ("b", False, 1, "Refused: answered 500"),
        ("c", False, 0, None),
    ]
    assert deliver(operations, [broken, whole]) == Delivery(delivered=2, failed=0)
    sent = [(path.partition("?")[0], body["rule"]) for path, body in receiver.posted]
    assert [rule for path, rule in sent if path == "/whole"] == ["a", "b", "c"]
    assert [rule for path, rule in sent if path == "/broken"] == ["a", "b", "b", "c"]
    assert deliver(operations, [broken, whole]) == Delivery(delivered=0, failed=0)


def test_what_is_for_a_sink_no_longer_there_waits(operations: Operations, receiver: Receiver) -> None:
    put(operations, "former", "a")
    assert deliver(operations, [LogSink()]) == Delivery(delivered=0, failed=0)
    assert deliver(operations, [WebhookSink(name="former", url=receiver.url)]) == Delivery(delivered=1, failed=0)


def test_after_a_crash_between_sending_and_marking_it_is_sent_again_under_the_same_id(
    operations: Operations, mailbox: Mailbox, mail_server: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = mail_to(mail_server())
    put(operations, "smtp", "a", "b")
    with monkeypatch.context() as crashing:
        crashing.setattr(notifications, "_note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver(operations, [sink])
    assert deliver(operations, [sink]) == Delivery(delivered=2, failed=0)
    first, again, other = (mail["Message-ID"] for mail in mailbox.mails)
    assert first == again != other


SHOP = "name: Shop\ncurrency: EUR\n"
SMTP = "type: smtp, host: mail.example.com, sender: a@example.com, recipients: [b@example.com]"


def test_a_deployment_logs_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "c360.yaml"
    file.write_text(SHOP)
    with closing(deployments.load(file)) as deployment:
        assert deployment.settings.notifications == (LogSink(),)
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    monkeypatch.setenv("HOOK", f"https://hooks.example.com/x?token={PASSWORD}")
    mail = f'{{{SMTP}, username: ann, password: "${{MAIL_PASSWORD}}"}}'
    file.write_text(f'{SHOP}notifications: [{mail}, {{type: webhook, name: chat, url: "${{HOOK}}"}}, {{type: log}}]\n')
    with closing(deployments.load(file)) as deployment:
        mail_sink, chat, _ = deployment.settings.notifications
        assert isinstance(mail_sink, SmtpSink)
        assert mail_sink.password is not None
        assert mail_sink.password.get_secret_value() == PASSWORD
        assert (mail_sink.port, mail_sink.starttls, mail_sink.recipients) == (587, True, ("b@example.com",))
        assert isinstance(chat, WebhookSink)
        assert chat.url.endswith(PASSWORD)
        assert chat.timeout_seconds == 10
        assert deployment.operations.sinks == ("smtp", "chat", "log")
        assert PASSWORD not in repr(deployment)


@pytest.mark.parametrize(
    ("sinks", "key", "reason"),
    [
        ("{type: log}, {type: log}", "notifications", "two sinks are named 'log'"),
        ("{type: log, name: a}, {type: webhook, name: a, url: https://x.example}", "notifications", "are named 'a'"),
        ("{type: pigeon}", "notifications.0.type", "pigeon"),
        ("{type: log, colour: red}", "notifications.0.colour", "is no key we know"),
        (f"{{{SMTP}, subject: x}}", "notifications.0.subject", "is no key we know"),
        ("{type: log}, {type: webhook}", "notifications.1.url", "is missing"),
        ("{type: webhook, url: 'http://x.example/s3cret-word'}", "notifications.0.url", "must begin with https://"),
        ("{type: webhook, url: x.example}", "notifications.0.url", "must begin with https://"),
        ("{type: apprise, url: 'pigeon://s3cret-word'}", "notifications.0.url", "no address that Apprise knows"),
        ("{type: apprise, url: 'json://x.example/s3cret-word'}", "notifications.0.url", "must be of an encrypted kind"),
        (f"{{{SMTP}, username: ann}}", "notifications.0", "username and password belong together"),
        (
            f"{{{SMTP}, username: ann, password: s3cret-word, starttls: false}}",
            "notifications.0",
            "a password is only sent encrypted",
        ),
        ("{type: smtp, host: x, sender: y, recipients: []}", "notifications.0.recipients", "at least 1"),
    ],
)
def test_a_sink_that_cannot_be_is_one_error_that_names_the_key(
    sinks: str, key: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "c360.yaml"
    file.write_text(f"{SHOP}notifications: [{sinks}]\n")
    with pytest.raises(DeploymentError) as raised:
        deployments.load(file)
    assert str(raised.value).startswith(f"c360.yaml, key {key}: ")
    assert reason in str(raised.value)
    assert PASSWORD not in f"{raised.value} {raised.value.__cause__}"


def certificate_of(host: str, folder: Path) -> Path:
    """A file with a key and the certificate for `host` that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    file = folder / f"{host}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
