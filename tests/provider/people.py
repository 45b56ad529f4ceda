"""People as a model writes them on request: each different, and some not as asked for.

A faulty answer is faulty by its request's hash, so asking with another seed draws anew.
"""

import hashlib
import json
import re
from typing import Any

from services.simulator.words import words_of

FAULTS = ("prose", "fenced", "field_more", "cut_off", "duplicate", "leaking", "asking", "narrated", "short")
"""Each under its own cause, in `CAUSES`."""
CAUSES = {
    "prose": "no_json",
    "fenced": "no_json",
    "field_more": "fields",
    "cut_off": "cut_off",
    "duplicate": "duplicate",
    "leaking": "leak",
    "asking": "asks",
    "narrated": "voice",
    "short": "length",
}
_WORDS = words_of("""
kettle gravel ferry ledger curtain pigeon lantern harbour basement ticket saddle onion marble tunnel orchard velvet
hammer canal puddle stapler thicket anchor barrel candle dentist engine fabric garlic helmet island jacket kitchen
ladder magnet needle ointment parcel quarry ribbon sandal tractor umbrella vinegar window yard zipper almond bucket
cellar drawer elbow fountain glove hedge iron jar keyhole letter meadow napkin oven pepper
""")
_REPEATED = {
    "user_context": "She keeps a stall by the north gate and sleeps badly since the flood. Her brother counts the takings every evening.",
    "user_prompt": "The shutters jammed again and I stood there with wet sleeves. Nobody on the square said a word to me.",
}


def is_wanted(request: dict[str, Any]) -> bool:
    """Tell whether a request asks for a person."""
    schema = request.get("response_format", {}).get("json_schema", {}).get("schema", {})
    return "user_context" in schema.get("properties", {})


def fault_of(name: str, share: float) -> str | None:
    """Return what is wrong with the answer to a request, each fault with this share."""
    for fault in FAULTS:
        if _draw(name, fault) % 10_000 < share * 10_000:
            return fault
    return None


def person(name: str, request: dict[str, Any], fault: str | None) -> str:
    """Return the answer."""
    context = f"He mends the {_words(name, 'c', 14)}. The {_words(name, 'd', 12)} came first."
    prompt = f"I left the {_words(name, 'p', 13)} outside. Then my {_words(name, 'q', 14)} again."
    fields = {"user_context": context, "user_prompt": prompt}
    said = {
        "field_more": {**fields, "name": "Ann"},
        "duplicate": _REPEATED,
        "leaking": {**fields, "user_prompt": f"{prompt} {_thought(request)}"},
        "asking": {**fields, "user_prompt": f"{prompt} Tell me what to do."},
        "narrated": {**fields, "user_context": f"I mend the {_words(name, 'c', 20)}. It is late."},
        "short": {**fields, "user_prompt": "I am sad."},
    }.get(fault or "", fields)
    text = json.dumps(said)
    frames = {
        "prose": f"Here is your person: {text}",
        "fenced": f"```json\n{text}\n```",
        "cut_off": text[:-20],
    }
    return frames.get(fault or "", text)


def _thought(request: dict[str, Any]) -> str:
    """Return what a prompt quotes as the second hope."""
    return "".join(re.findall(r'"([^"]{20,})"', request["messages"][-1]["content"])[1:2])


def _words(*parts: object) -> str:
    *name, count = parts
    drawn = (_WORDS[_draw(*name, place) % len(_WORDS)] for place in range(int(str(count))))
    return " ".join(drawn)


def _draw(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")
