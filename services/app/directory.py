"""The models of this installation, behind the names that specs give them: opened when first asked for, and kept."""

from pathlib import Path
from typing import Protocol

from services.app.catalogue import (
    JUDGES,
    USERS,
    check_served,
    known_bases,
    known_endpoints,
    prompt_pack,
    registered,
)
from services.core.domain.endpoint import Endpoint
from services.core.domain.judging import Judge
from services.core.domain.spec import EvaluationSpec, RunSpec
from services.core.llm.directory import ServedPolicies
from services.core.llm.fleet import Fleet
from services.core.llm.hosted import LiteLlmModel, WireModel
from services.core.llm.limits import Clock, EndpointLimits, OwnClock, SharedClock
from services.core.llm.meter import Meter, Metered, MeteredPolicies
from services.core.llm.model import ChatModel
from services.core.llm.policies import WirePolicies
from services.core.settings import Settings
from services.evaluator.judging.model_judge import ModelJudge
from services.evaluator.judging.panel import Panel


class Closing(Protocol):
    """Something with connections."""

    async def close(self) -> None:
        """Close them."""
        ...


class LocalDirectory:
    """The models of this installation, opened when first asked for and kept; what their replies take is counted."""

    def __init__(self, settings: Settings) -> None:
        self.meter = Meter()
        self._bases = known_bases(settings)
        self._settings = settings
        self._servers: dict[str, tuple[ServedPolicies, ...]] = {}
        self._policies: dict[str, ServedPolicies] = {}
        self._endpoints = known_endpoints(settings)
        self._clock = _clock(settings.redis_url)
        self._users: dict[str, ChatModel] = {}
        self._models: dict[str, ChatModel] = {}
        self._packs = settings.prompt_packs
        self._open: list[Closing] = []

    def policies(self, base: str) -> ServedPolicies:
        """Return what answers for a base's policies: those behind its URLs, else one in this process."""
        if base not in self._policies:
            servers = self.servers(base)
            server = servers[0] if len(servers) == 1 else Fleet(servers)
            self._policies[base] = MeteredPolicies(server, self.meter)
        return self._policies[base]

    async def close(self) -> None:
        """Close the connections to models on the wire."""
        for model in self._open:
            await model.close()

    def servers(self, base: str) -> tuple[ServedPolicies, ...]:
        """Return each single server behind `policies(base)`."""
        if base not in self._servers:
            self._servers[base] = self._open_servers(base)
        return self._servers[base]

    def _open_servers(self, base: str) -> tuple[ServedPolicies, ...]:
        folder = self.base_folder(base)
        if urls := self._settings.policy_urls.get(base):
            wires = tuple(WirePolicies(str(url)) for url in urls)
            self._open += wires
            return wires
        check_served(base, self._settings)
        from services.pocket.policy.server import PocketServer

        return (PocketServer(folder),)

    def base_folder(self, base: str) -> Path:
        """Return the folder of a base model."""
        return registered(self._bases, base, "policy")

    def user(self, name: str) -> ChatModel:
        """Return the model that plays simulated users."""
        if name in USERS:
            return self._users.setdefault(name, USERS[name]())
        return self._hosted(name, "conversation.user_model")

    def _hosted(self, name: str, field: str) -> ChatModel:
        """Return a hosted model, opened once: whoever asks it shares its connections and limits."""
        if name not in self._models:
            self._models[name] = self._open_hosted(name, registered(self._endpoints, name, field))
        return self._models[name]

    def _open_hosted(self, name: str, endpoint: Endpoint) -> ChatModel:
        minute = (endpoint.requests_per_minute, endpoint.tokens_per_minute)
        limits = EndpointLimits(name, self._clock, *minute)
        model = LiteLlmModel(endpoint, limits) if endpoint.url is None else WireModel(endpoint, limits)
        self._open.append(model)
        return Metered(model, self.meter)

    def veto(self, spec: RunSpec) -> Judge | None:
        """Return who may keep conversations out of the training data, if anybody."""
        if not spec.mitigations.has_veto:
            return None
        return self._judge(spec.mitigations.veto, spec.evaluation, "mitigations.veto", asks_again=True)

    def judge(self, evaluation: EvaluationSpec) -> Judge:
        """Return who judges an evaluation."""
        again = evaluation.profile == "robust"
        judges = {
            name: self._judge(name, evaluation, "evaluation.judge", asks_again=again)
            for name in evaluation.panel.values()
        }
        return Panel(**{part: judges[name] for part, name in evaluation.panel.items()})

    def second_judge(self, evaluation: EvaluationSpec) -> Judge | None:
        """Return who reads what the evaluation's judge reads, if anybody."""
        if evaluation.judges.second is None:
            return None
        again = evaluation.profile == "robust"
        return self._judge(evaluation.judges.second, evaluation, "evaluation.judges.second", asks_again=again)

    def _judge(self, name: str, evaluation: EvaluationSpec, field: str, *, asks_again: bool) -> Judge:
        if name in JUDGES:
            return JUDGES[name]()
        pack = prompt_pack(self._packs, evaluation.prompts)
        model = self._hosted(name, field)
        return ModelJudge(name, model, pack, evaluation.judges.max_tokens, asks_again=asks_again)


def _clock(redis_url: str | None) -> Clock:
    """Return what gives permits away: one for all workers that share a Redis."""
    return OwnClock() if redis_url is None else SharedClock(redis_url)
