"""Which model a registered name means. The app fills it in; the services only ask."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from services.core.domain.judging import Judge
from services.core.domain.spec import EvaluationSpec, RunSpec
from services.core.llm.model import ChatModel
from services.core.llm.server import PolicyServer


class ServedPolicies(ChatModel, PolicyServer, Protocol):
    """A server of policies that also answers their chats."""


class Directory(Protocol):
    """Names to models. Every method raises `SpecError`, naming the known names, for an unknown one."""

    def policies(self, base: str) -> ServedPolicies:
        """Return the server of a base model and its adapters."""
        ...

    def servers(self, base: str) -> Sequence[PolicyServer]:
        """Return each single server behind `policies(base)`, for what must be shown of every one."""
        ...

    def base_folder(self, base: str) -> Path:
        """Return the folder of a base model's weights and tokenizer, for training."""
        ...

    def user(self, name: str) -> ChatModel:
        """Return the model that plays simulated users."""
        ...

    def veto(self, spec: RunSpec) -> Judge | None:
        """Return who may keep conversations out of the training data, if anybody."""
        ...

    def judge(self, evaluation: EvaluationSpec) -> Judge:
        """Return who judges an evaluation: a panel, if several do."""
        ...

    def second_judge(self, evaluation: EvaluationSpec) -> Judge | None:
        """Return who reads what the evaluation's judge reads, if anybody."""
        ...
