"""The fake provider as a process: `python -m tests.provider --port 9000 --latency-s 1`."""

import argparse

import uvicorn

from tests.provider.app import Provider


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--fault-share", type=float, default=0.0)
    parser.add_argument("--hang-s", type=float, default=60.0)
    parser.add_argument("--person-fault-share", type=float, default=0.0)
    parser.add_argument("--logprobs", default="told")
    given = parser.parse_args()
    provider = Provider(
        given.latency_s, given.fault_share, given.hang_s, given.person_fault_share, given.logprobs
    )
    uvicorn.run(
        provider, host="127.0.0.1", port=given.port, log_level="critical", lifespan="off", backlog=4096
    )


if __name__ == "__main__":
    main()
