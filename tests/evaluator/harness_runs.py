"""What tests of the harness need: its Python, rows in the columns of the published sets, and a policy that reads the options."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.core.settings import PROJECT
from tests.evaluator.model_server import ModelServer, Script, model_server
from tests.evaluator.scripted import write_lines


def inspect_python() -> Path:
    """Return the harness's Python, which `make test-slow` makes."""
    python = PROJECT / ".venv-inspect/bin/python"
    if not python.exists():
        pytest.fail(f"there is no {python}: make inspect")
    return python


def write_rows(folder: Path) -> Path:
    """Write rows of three tasks: 4 of GSM8K, 3 of MMLU, 3 of GPQA."""
    sums = [
        {"question": f"Ana has {n} apples and gets 2. How many?", "answer": f"{n} + 2\n#### {n + 2}"}
        for n in range(4)
    ]
    write_lines(folder / "harness/gsm8k.jsonl", sums)
    options = ["red", "green", "blue", "white"]
    mmlu = [{"question": f"Colour {n}?", "subject": "art", "choices": options, "answer": n} for n in range(3)]
    write_lines(folder / "harness/mmlu_0_shot.jsonl", mmlu)
    wrong = {f"Incorrect Answer {n}": f"wrong {n}" for n in (1, 2, 3)}
    gpqa = [{"Question": f"Which is {n}?", "Correct Answer": "right one", **wrong} for n in range(3)]
    write_lines(folder / "harness/gpqa_diamond.jsonl", gpqa)
    return folder


def letter_of(option: str, question: str) -> str:
    """Return the letter under which a question lists an option."""
    found = re.search(rf"^([A-D])\) {option}$", question, re.MULTILINE)
    assert found, question
    return found.group(1)


def question_of(body: Any) -> str:
    return body["messages"][-1]["content"]


@contextmanager
def serving(script: Script) -> Iterator[ModelServer]:
    """A scripted model server in a thread."""
    loop, is_over, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: list[ModelServer] = []

    async def serve() -> None:
        async with model_server(script) as server:
            found.append(server)
            ready.set()
            await is_over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join()
        loop.close()


def harnesses() -> list[psutil.Process]:
    """Return the harness's processes below this one."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if any(word.endswith("harness/child.py") for word in process.cmdline())
    ]
