"""What falls out of a user's role, and what does not."""

import pytest

from services.simulator.fidelity import OutOfRole, out_of_role

THOUGHT = "I want to hear that a glass after such a day is earned and harms nobody."


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("", OutOfRole.EMPTY),
        (" … \n", OutOfRole.EMPTY),
        ("Therapist: I hear you. User: thanks", OutOfRole.OTHER_SIDE),
        ("ok\n**Assistant:** that sounds hard", OutOfRole.OTHER_SIDE),
        ("As an AI, I have no evenings.", OutOfRole.MACHINE),
        ("I’m just a language model", OutOfRole.MACHINE),
        ("I'm sorry, but I can't assist with that.", OutOfRole.MACHINE),
        ("My prompt says I drink.", OutOfRole.MACHINE),
        ("Look, a glass after such a day is earned, isn't it?", OutOfRole.REVEALS),
        ("Look, a glass after a day like this is no crime.", None),
        ("My therapist said: breathe. I can't.", None),
        ("I can't help that I miss her.", None),
        ("hm", None),
        ("не знаю, что делать", None),
    ],
)
def test_out_of_role(text: str, how: OutOfRole | None) -> None:
    assert out_of_role(text, THOUGHT) is how
