"""What the handlers of a running server share.

    service = request.app.state.service
    service.ready().scheduler.submit(...)

Loading takes seconds for a large model; until then `engine` is None and only /health answers.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qingyu.serve.metrics import Metrics
from qingyu.serve.problems import ApiError
from qingyu.serve.settings import ServeSettings
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.model import Model
    from qingyu.engine.scheduler import Scheduler
    from qingyu.serve.home import Home


def _not_sealed() -> dict[str, Any]:
    return {"sealed": False, "summary": pick("not sealed", "未封闭"), "layers": []}


@dataclass(kw_only=True)
class Engine:
    """A loaded model and who steps it. name: what requests call it; "": what it calls itself."""

    model: Model
    scheduler: Scheduler
    name: str = ""


@dataclass(kw_only=True)
class Service:
    """See the module. page_token: what the page sends, made anew at every start."""

    settings: ServeSettings
    engine: Engine | None = None
    # Whether there is to be a household to speak to, and the one there is once it is open.
    assists: bool = False
    home: Home | None = None
    metrics: Metrics = field(default_factory=Metrics)
    # What the seal says of itself and the probe table, as JSON; see `seal`.
    seal: dict[str, Any] = field(default_factory=_not_sealed)
    probes: dict[str, Any] | None = None
    # Names the model answers to besides its own.
    aliases: tuple[str, ...] = ("default",)
    page_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    started: float = field(default_factory=time.time)

    @property
    def sealed(self) -> bool:
        return bool(self.seal.get("sealed"))

    @property
    def seal_header(self) -> str:
        """The seal in one response header: "on; seccomp, landlock" or "off"."""
        active = [layer["name"] for layer in self.seal["layers"] if layer["active"]]
        return f"on; {', '.join(active)}" if self.sealed else "off"

    def ready(self) -> Engine:
        """The engine. Raises ApiError 503 while the model loads."""
        if self.engine is None:
            raise ApiError(
                503,
                pick("the model is still loading", "模型仍在加载"),
                kind="server_error",
                code="model_loading",
                headers={"Retry-After": "1"},
            )
        return self.engine

    def home_ready(self) -> Home:
        """The household. Raises ApiError 503 until it is open."""
        if self.home is None:
            raise ApiError(
                503,
                pick("the household is still being opened", "家庭仍在载入"),
                kind="server_error",
                code="household_loading",
                headers={"Retry-After": "1"},
            )
        return self.home

    @property
    def model(self) -> Model:
        return self.ready().model

    @property
    def name(self) -> str:
        """What requests call the model."""
        engine = self.ready()
        return engine.name or engine.model.info.name

    def name_with(self, adapter: str | None) -> str:
        """What requests call the model with that adapter."""
        return self.name if adapter is None else f"{self.name}:{adapter}"

    @property
    def model_names(self) -> tuple[str, ...]:
        """The model, and the model with each of its adapters."""
        return tuple(map(self.name_with, (None, *self.model.adapters)))

    @property
    def scheduler(self) -> Scheduler:
        return self.ready().scheduler
