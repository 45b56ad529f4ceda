import pytest

from services.evaluator.capability.rules import is_correct


@pytest.mark.parametrize(
    ("reply", "answer", "right"),
    [
        ("2 + 3 is 5.", "5", True),
        ("5 is what I get, then 6", "5", False),
        ("It is 5.0", "5", True),
        ("about 1,234", "1234", True),
        ("minus: -7", "-7", True),
        ("10-7", "7", True),
        ("0.50", ".5", True),
        ("15", "5", False),
        ("no idea", "5", False),
        ("", "5", False),
        ("The answer is Mercury.", "mercury", True),
        ("Mercury or Venus", "mercury", False),
        ("", "mercury", False),
    ],
)
def test_the_last_number_or_word_is_the_answer(reply: str, answer: str, right: bool) -> None:
    assert is_correct(reply, answer) is right
