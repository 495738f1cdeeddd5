"""What `make run` does after the installation: servers, migrations, demo data, web, worker, beat, relay, consumer.

One supervisor per checkout. Ctrl-C, SIGTERM and SIGHUP stop everything; a killed supervisor takes its children along,
and what survives even that is ended at the next start.
"""

import contextlib
import fcntl
import http.client
import os
import secrets
import string
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import processes
from .beside import told
from .children import Child, Children, Interrupts, Stopped
from .gateway import gateway_port, gateway_settings
from .payments import stripe_port, stripe_settings, stripe_stand_in
from .servers import own_servers, revive, servers
from .state import PROJECT, DevError, development, remembered, state_folder

HOST = "127.0.0.1"
LOOK_SECONDS = 2.0
HEALTH_SECONDS = 60.0
SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"


def main() -> int:
    """Run the service until a signal stops it, and return the exit status."""
    processes.tie_to_make()
    with Interrupts() as interrupts:
        try:
            with _only_run(state_folder(), _port()) as port:
                _run(port, interrupts)
        except Stopped:
            say("Stopped.")
        except DevError as error:
            say(str(error))
            return 1
    return 0


def say(line: str) -> None:
    """Print a line now. The terminal may be gone (SIGHUP): that must not keep anything running."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def stand_ins(port: int, portkey: int | None, stripe: int | None) -> list[Child]:
    """Return the stand-ins for what the service calls, those that have a port."""
    ours = []
    if portkey is not None:
        ours.append(Child("portkey", [sys.executable, "-m", "tests.fakes.portkey", "--port", str(portkey)]))
    if stripe is not None:
        ours.append(stripe_stand_in(state_folder(), stripe, f"http://{HOST}:{port}"))
    return ours


def programs(port: int) -> list[Child]:
    """Return what runs, in the order it starts."""
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    web = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        HOST,
        "--port",
        str(port),
        "--workers",
        "2",
    ]
    web += ["--blocking-threads", "4", "--no-ws", "--respawn-failed-workers", "--access-log"]
    # A web worker that is told to stop before it listens for that never stops by itself.
    web += ["--workers-kill-timeout", "3", "config.wsgi:application"]
    # Nobody to talk to but this one worker: mingle and gossip only delay the start.
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "INFO", "--without-mingle", "--without-gossip"]
    beat = [*celery, "beat", "--loglevel", "INFO", "--pidfile=", "--scheduler", SCHEDULER]
    relay, consumer = ([sys.executable, "manage.py", name] for name in ("relay_events", "consume_events"))
    return [
        Child("web", web, vital=True),
        Child("worker", worker),
        Child("beat", beat),
        Child("relay", relay),
        Child("consumer", consumer),
    ]


def demo() -> dict[str, str]:
    """Return the demo login and key of this machine, for `manage.py load_demo`."""
    state = state_folder()
    letters = string.ascii_lowercase + string.digits
    return {
        "FLORIN_DEMO_PASSWORD": remembered(state / "demo-password", lambda: secrets.token_urlsafe(12)),
        "FLORIN_DEMO_API_KEY": remembered(
            state / "demo-api-key",
            lambda: f"flr_{''.join(secrets.choice(letters) for _ in range(8))}_{secrets.token_urlsafe(32)}",
        ),
    }


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DevError(f"PORT is {text!r}: write a number from 1 to 65535.")
    return int(text)


@contextmanager
def _only_run(state: Path, port: int) -> Iterator[int]:
    if os.environ.get("ENVIRONMENT", "development") != "development":
        raise DevError(
            "ENVIRONMENT is not development: make run loads demo data, and is for a developer's machine only."
        )
    with state.joinpath("run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise DevError(
                f"make run is already running in this folder ({lock.read().strip()}): stop it first."
            ) from None
        Children(state, {}, say).end_left_overs()
        if not processes.port_is_free(port):
            raise DevError(
                f"Port {port} is in use by another program: stop it, or choose another: make run PORT={port + 1}"
            )
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, http://{HOST}:{port}/")
        lock.flush()
        yield port


def _run(port: int, interrupts: Interrupts) -> None:
    state = state_folder()
    own = own_servers()
    say("Servers: " + (", ".join(server.title for server in own.values()) or "those of the environment"))
    portkey = gateway_port(state, port)
    stripe = stripe_port(state, {port, *([portkey] if portkey is not None else [])})
    given = (gateway_settings(state, portkey), stripe_settings(state, stripe, f"http://{HOST}:{port}"))
    with servers(say, own) as addresses, told(state, *given):
        environment = {**development(), **demo(), **os.environ, **addresses}
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(state / "metrics")
        environment.setdefault("PUBLIC_URL", f"http://{HOST}:{port}")
        environment |= {**given[0], **given[1]}
        children = Children(state, environment, say)
        try:
            # First, because demo data may be put together with them.
            for child in stand_ins(port, portkey, stripe):
                children.add(child)
            _wait_for_ports([each for each in (portkey, stripe) if each is not None], children, interrupts)
            for step, command in (
                ("Migrations", "migrate"),
                ("Demo data", "load_demo"),
                ("Plans", "load_plans"),
                ("Packs", "load_packs"),
            ):
                say(step)
                children.run(command, [sys.executable, "manage.py", command], interrupts)
            say("Web, worker, beat, relay and consumer")
            for child in programs(port):
                children.add(child)
            _wait_for_health(port, children, interrupts)
            say(_welcome(port, stripe, environment))
            while True:
                interrupts.pause(LOOK_SECONDS)
                children.look_after()
                revive(own, say)
        except Stopped:
            say("\nStopping …")
            raise
        finally:
            children.stop(interrupts)


def _wait_for_ports(ports: list[int], children: Children, interrupts: Interrupts) -> None:
    def listening() -> bool:
        children.look_after()
        return not any(processes.port_is_free(port) for port in ports)

    if not processes.wait_until(listening, HEALTH_SECONDS, interrupts.pause):
        raise DevError(f"The stand-ins for the AI gateway and Stripe did not start: see {state_folder() / 'logs'}.")


def _wait_for_health(port: int, children: Children, interrupts: Interrupts) -> None:
    answer = ""

    def healthy() -> bool:
        nonlocal answer
        children.look_after()
        answer = _answer(port)
        return answer == "200"

    if not processes.wait_until(healthy, HEALTH_SECONDS, interrupts.pause):
        raise DevError(
            f"GET /health was to answer 200, but after {HEALTH_SECONDS:.0f} s: {answer}\n{children.tail('web')}"
        )


def _answer(port: int) -> str:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()


def _welcome(port: int, stripe: int | None, environment: Mapping[str, str]) -> str:
    address = f"http://{HOST}:{port}"
    logs = os.path.relpath(state_folder() / "logs", PROJECT)
    pay = f"""
  Payments   http://{HOST}:{stripe}/dashboard      a stand-in for Stripe""" * (stripe is not None)
    return f"""
Florin is running.

  Admin      {address}/admin/      user demo, password {environment["FLORIN_DEMO_PASSWORD"]}
             (so have support, support-lead, finance, engineer, auditor)
  API docs   {address}/api/docs/
  API key    {environment["FLORIN_DEMO_API_KEY"]}
             curl -H "Authorization: Bearer {environment["FLORIN_DEMO_API_KEY"]}" {address}/api/v1/accounts{pay}
  NATS       {environment["NATS_URL"]}
  Logs       {logs}/
  Stop       Ctrl-C
"""


if __name__ == "__main__":
    sys.exit(main())
