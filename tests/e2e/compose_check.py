"""Rehearses docs/deployment.md for real: `make compose-check` (needs Docker; minutes; not a part of the test suite).

Builds the images and brings the whole deployment up beside any that is there already, under a project name and a port of its
own. Launches a small run by REST, kills the policy's server and flushes Redis under it, waits for its end, reads
conversations, drift and exports; takes everything down and up again, finds all as it was; removes all of it.

    COMPOSE="docker-compose" make compose-check    # docker compose, unless told otherwise
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

COMPOSE = shlex.split(os.environ.get("COMPOSE") or "docker compose")
PORT = os.environ.get("DRIFTLOOP_PORT") or "18000"
ENVIRONMENT = os.environ | {
    "COMPOSE_PROJECT_NAME": "driftloop-check",
    "DRIFTLOOP_PORT": PORT,
    # Not a word that a URL could carry as it is.
    "POSTGRES_PASSWORD": "p@ss/w:rd #1",
}
SPEC = {
    "name": "compose-check",
    "rounds": 2,
    "population": {"biased_share": 0.5, "conversations": 96},
    "training": {"method": "sft", "learning_rate": 0.001, "epochs": 1, "batch_size": 8},
    "evaluation": {"held_out_profiles": 4},
    "concurrency": {"in_flight": 16, "shard_size": 12},
}
UP_WITHIN_S = 240
RUN_WITHIN_S = 900
WORKERS = ("worker-simulator", "worker-trainer", "worker-evaluator")
SERVICES = ("postgres", "redis", "api", "policy", *WORKERS)


def main() -> None:
    """Go through it; whatever happens, leave nothing behind."""
    try:
        compose("up", "-d", "--build", "--scale", "worker-simulator=2")
        rehearse()
    except BaseException:
        subprocess.run([*COMPOSE, "logs", "--tail", "40"], env=ENVIRONMENT, check=False)
        raise
    finally:
        compose("down", "-v")
    left = [name for name in lines("docker", "volume", "ls", "-q") if name.startswith("driftloop-check")]
    expect(left == [], f"`down -v` leaves no volume: {left}")
    say("all is well, and nothing is left")


def rehearse() -> None:
    """Do what the guide says, and what may happen to a deployment."""
    await_healthy()
    expect_no_root()
    token = compose_output("exec", "-T", "api", "driftloop", "tokens", "create", "check", "--scope", "launch")
    api = Api(token.strip())
    run = api("POST", "/v1/runs", SPEC)["run"]["id"]
    say(f"launched run {run}")
    disturb(api, run)
    await_that(lambda: api("GET", f"/v1/runs/{run}")["status"] != "running", RUN_WITHIN_S, "the run to end")
    before = facts(api, run)
    say(f"the run is worked: {len(before['ids'])} conversations")
    compose("down")
    compose("up", "-d")
    await_healthy()
    expect(facts(api, run) == before, "all is as it was after `down` and `up`")


def disturb(api: "Api", run: str) -> None:
    """Kill the policy's server and flush Redis while conversations are held."""

    def held() -> int:
        return len(api("GET", f"/v1/trajectories?run={run}&limit=100")["items"])

    await_that(lambda: held() > 20, RUN_WITHIN_S, "the first conversations")
    compose("kill", "policy")
    compose_output("exec", "-T", "redis", "redis-cli", "FLUSHALL")
    compose("up", "-d", "--no-recreate", "policy")
    say("killed the policy's server, flushed Redis, and started it again")


def facts(api: "Api", run: str) -> dict[str, Any]:
    """Read what a researcher leaves with; complain about what is missing."""
    state = api("GET", f"/v1/runs/{run}")
    expect(state["status"] == "succeeded", f"the run succeeded: {state['status']} {state['error']}")
    page = api("GET", f"/v1/trajectories?run={run}&limit=200")
    ended = sorted(one["status"] for one in page["items"])
    expect(ended == ["scored"] * 192, f"all 192 conversations are scored: {ended}")
    exports = {
        f"{what} as {form}": hashlib.sha256(
            api.file(f"/v1/exports/{what}?run={run}&format={form}")
        ).hexdigest()
        for what in ("trajectories", "selections", "verdicts")
        for form in ("jsonl", "parquet")
    }
    return {
        "ids": [one["id"] for one in page["items"]],
        "drift": api("GET", f"/v1/runs/{run}/drift"),
        "exports": exports,
    }


def await_healthy() -> None:
    """Wait until every service's containers run, and those that have a health are healthy."""
    await_that(lambda: not unhealthy(), UP_WITHIN_S, "all containers to be healthy")
    say("all containers are up and healthy")


def unhealthy() -> list[str]:
    """Return what keeps the deployment from being up."""
    found: list[str] = []
    for service in SERVICES:
        states = [inspected(container)["State"] for container in lines(*COMPOSE, "ps", "-q", service)]
        is_up = states and all(state["Running"] for state in states)
        is_well = all(state.get("Health", {"Status": "healthy"})["Status"] == "healthy" for state in states)
        if not (is_up and is_well):
            found.append(service)
    return found


def expect_no_root() -> None:
    """Complain about a container of ours that runs as root, or whose API image could train."""
    for service in SERVICES[2:]:
        for container in lines(*COMPOSE, "ps", "-q", service):
            expect(inspected(container)["Config"]["User"] not in {"", "root", "0"}, f"{service} is not root")
    tried = subprocess.run(
        [*COMPOSE, "exec", "-T", "api", "python", "-c", "import torch"],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    expect(tried.returncode != 0, "the API's image holds no torch")


class Api:
    """The REST API, as curl would ask it."""

    def __init__(self, token: str):
        self._token = token

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        """Return what a route answers."""
        return json.loads(self._asked(method, path, body))

    def file(self, path: str) -> bytes:
        """Return a download."""
        content = self._asked("GET", path, None)
        expect(len(content) > 1000, f"{path} holds something: {len(content)} bytes")
        return content

    def _asked(self, method: str, path: str, body: object) -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code}: {error.read().decode()}")


def await_that(holds: Callable[[], object], within_s: float, what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        expect(time.monotonic() < deadline, f"waited in vain for {what}; not well: {unhealthy()}")
        time.sleep(1)


def expect(is_so: bool, what: str) -> None:
    """End the check unless something is so."""
    if not is_so:
        sys.exit(f"compose-check: NOT so: {what}")


def say(what: str) -> None:
    """Tell how far it is."""
    print(f"compose-check: {what}", flush=True)


def inspected(container: str) -> Any:
    """Return what Docker knows of a container."""
    return json.loads("".join(lines("docker", "inspect", container)))[0]


def lines(*command: str) -> list[str]:
    """Return what a command prints."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def compose(*words: str) -> None:
    """Run a compose command."""
    say(" ".join([*COMPOSE, *words]))
    subprocess.run([*COMPOSE, *words], env=ENVIRONMENT, check=True)


def compose_output(*words: str) -> str:
    """Run a compose command and return what it prints."""
    return "\n".join(lines(*COMPOSE, *words))


if __name__ == "__main__":
    main()
