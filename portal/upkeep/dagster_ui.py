"""The Dagster UI of a deployment, until it is told to stop."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from governance.errors import C360Error
from resources.instance import WORKSPACE

HOST = "127.0.0.1"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(home: Path, port: int) -> int:
    """Run Dagster's webserver, daemon and code servers on 127.0.0.1 until Ctrl-C; returns their exit code.

    C360Error where the port is taken: Dagster would go on without its webserver, and say so among much else.
    Ctrl-C in a terminal reaches every process of its session at once: the daemon then asks code servers that are
    gone. In a session of its own only the first process is told, which ends the others in order.
    """
    _check_free(port)
    address = ("-h", HOST, "-p", str(port))
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE), *address]
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    # With handlers of ours the child starts with the default ones, even where a shell's background ignores Ctrl-C.
    signals: list[int] = []
    for number in _STOPS:
        signal.signal(number, lambda received, _: signals.append(received))
    with subprocess.Popen(command, cwd=WORKSPACE.parent, env=environment, start_new_session=True) as services:
        for number in _STOPS:
            signal.signal(number, lambda *_: services.send_signal(signal.SIGINT))
        if signals:
            services.send_signal(signal.SIGINT)
        return services.wait()


def _check_free(port: int) -> None:
    with socket.socket() as tried:
        # As servers do: one that ended a moment ago takes no port.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as fault:
            raise C360Error(
                f"Port {port} cannot be had ({fault.strerror}). Take another: c360 ui --port {port + 1}"
            ) from None
