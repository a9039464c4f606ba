"""Everything a training run is told, typed; each part stands next to what it configures.

    TrainingConfig(kind="pretraining", run="runs/a", start=StartConfig(fresh="1m"), steps=100,
                   data=DataConfig(train="shards"))

docs/make.md explains every key. `recipe.py` reads it from TOML.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qingyu.make.training.adapter import LoraConfig
from qingyu.make.training.batches import BatchConfig, DataConfig
from qingyu.make.training.checkpoints import CheckpointConfig
from qingyu.make.training.checks import at_least, one_of, unfit
from qingyu.make.training.evaluation import EvaluationConfig
from qingyu.make.training.guard import GuardConfig
from qingyu.make.training.masters import OptimizerConfig
from qingyu.make.training.schedule import ScheduleConfig
from qingyu.make.training.start import StartConfig
from qingyu.make.training.teacher import TeacherConfig
from qingyu.text import pick

KINDS = ("pretraining", "tuning", "distillation")
PRECISIONS = ("bfloat16", "float32")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run. Raises InvalidRequestError for what cannot be.

    kind: pretraining learns every token that the data does not leave out; tuning, answers, and
    wants data that says which tokens those are; distillation, the teacher's distribution.
    run: the folder to write. steps: updates in all.
    precision: of the products; master weights, gradients' sums and the optimizer are float32.
    recompute: forget activations inside a layer and compute them again (less memory, a third
    more time). lora: train a small adapter instead of the weights.
    """

    kind: str = "pretraining"
    run: str
    steps: int
    seed: int = 0
    precision: str = "bfloat16"
    recompute: bool = False
    start: StartConfig
    data: DataConfig
    batch: BatchConfig = field(default_factory=BatchConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    checkpoints: CheckpointConfig = field(default_factory=CheckpointConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)
    lora: LoraConfig | None = None
    teacher: TeacherConfig | None = None

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        one_of("precision", self.precision, PRECISIONS)
        at_least("steps", self.steps, 1)
        if not self.run:
            raise unfit("run", pick("run names no folder", "run 未指定文件夹"))
        if (self.teacher is not None) != (self.kind == "distillation"):
            raise unfit(
                "teacher",
                pick(
                    f"kind is {self.kind}, and [teacher] is"
                    f" {'given' if self.teacher else 'missing'}; distillation has a teacher,"
                    " the other kinds have none",
                    f"kind 为 {self.kind}，而 [teacher] {'已给出' if self.teacher else '缺失'}；"
                    "distillation 需要教师模型，其他类型不需要",
                ),
            )
        if self.lora is not None and self.start.fresh is not None:
            raise unfit(
                "lora",
                pick(
                    "an adapter needs a trained model to stand on; give start.model or start.run",
                    "适配器需要以训练好的模型为基础；请给出 start.model 或 start.run",
                ),
            )
        if self.schedule.warmup_steps > self.steps:
            raise unfit(
                "schedule.warmup_steps",
                pick(
                    f"schedule.warmup_steps {self.schedule.warmup_steps} is more than steps"
                    f" {self.steps}",
                    f"schedule.warmup_steps {self.schedule.warmup_steps} 大于 steps {self.steps}",
                ),
            )
