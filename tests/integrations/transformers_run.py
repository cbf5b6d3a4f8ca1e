"""A Trainer of a small vision transformer; also one of two processes of a DDP run."""
# pyright: reportMissingImports=false

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset
from toy import CLASSES, LEVELS, Shadow, network, tensors, vanilla
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from arcal.integrations.transformers import RobustSmoothingTrainer, Smoothing


class Images(Dataset):
    """Images of 2 x 2 with ids and labels, as dicts."""

    def __init__(self, N: int, seed: int, ids: bool = True):
        self.x, self.y = tensors(N, seed)
        self.x, self.ids = self.x.view(N, 1, 2, 2), ids

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> dict[str, Any]:
        item = {"pixel_values": self.x[i], "labels": int(self.y[i]), "note": "is not for the model"}
        return item | ({"id": i} if self.ids else {})


TRAIN, VALIDATION = Images(96, 0), Images(33, 1)


class Config(PretrainedConfig):
    model_type = "toy"


class Net(PreTrainedModel):
    """Two layers. (Of the library's own, ViT does not resume: 5.24 leaves out renamed weights.)"""

    config_class = Config
    main_input_name = "pixel_values"
    network: nn.Module

    def __init__(self, config: Any = None):
        super().__init__(config or Config.from_dict({"num_labels": CLASSES}))
        self.network = network()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        pass

    def forward(self, pixel_values, labels=None):
        logits = self.network(pixel_values.flatten(1))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def over_confident() -> Net:
    """Trained by plain cross-entropy."""
    model = Net()
    model.network.load_state_dict(vanilla().state_dict())
    return model


class Check(TrainerCallback):
    """What the whole validation set says by the model as it is, at each evaluation in training."""

    def __init__(self, smoothing: Smoothing):
        self.shadow = Shadow(smoothing.loss)

    def on_evaluate(self, args, state, control, model: Any = None, **others):
        if state.global_step and len(self.shadow.loss.validation_levels.ids):
            with torch.no_grad():
                self.shadow.update(model(VALIDATION.x).logits.float(), VALIDATION.y)


class Kill(TrainerCallback):
    """The end of the process, without a word, in the middle of the third epoch."""

    def on_step_end(self, args, state, control, **others):
        if state.epoch > 2:
            os._exit(9)


def trainer(
    folder: Path,
    epochs: int = 3,
    model: torch.nn.Module | None = None,
    callbacks: tuple[Any, ...] = (),
    settings: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    kind: Any = RobustSmoothingTrainer,
    **arguments: Any,
):
    """A Trainer that has not begun, and what it will have to find."""
    defaults: dict[str, Any] = {"levels": LEVELS, "alpha": 0.5, "order": "margin"}
    defaults["vanilla"] = over_confident()
    smoothing = Smoothing(CLASSES, **(defaults | (settings or {})))
    check = Check(smoothing)
    options: dict[str, Any] = {"num_train_epochs": epochs, "eval_strategy": "epoch"}
    options |= {"save_strategy": "epoch", "logging_strategy": "epoch", "use_cpu": True}
    options |= {"per_device_train_batch_size": 8, "learning_rate": 0.01, "report_to": []}
    options |= {"disable_tqdm": True}
    made: Any = kind(
        model or over_confident(),
        TrainingArguments(str(folder), **(options | arguments)),
        **({"train_dataset": TRAIN, "eval_dataset": VALIDATION} | (data or {})),
        callbacks=[check, *callbacks],
        **({} if kind is Trainer else {"smoothing": smoothing}),
    )
    return made, check.shadow


def main(folder: Path, mode: str) -> None:
    """One of two processes: a whole run, one that is killed, or its continuation."""
    if version("transformers").startswith("4."):  # it loads onto "cpu:0", which torch does not know
        torch.serialization.register_package(0, lambda storage: None, _as_it_is)
    made, shadow = trainer(
        folder / ("killed" if mode == "resumed" else mode),
        callbacks=(Kill(),) if mode == "killed" else (),
        settings={"rescore": [2]},
        gradient_accumulation_steps=2,
        bf16=True,
        ddp_backend="gloo",
    )
    made.train(resume_from_checkpoint=mode == "resumed")
    loss = made.smoothing.loss
    result = {
        "soft_label": loss.soft_label.tolist(),
        "epoch": int(loss.epoch),
        "levels": loss.train_levels.levels.tolist(),
        "expected": shadow.soft_label,
        "weights": [float(w.detach().double().sum()) for w in made.model.parameters()],
    }
    (folder / f"{mode}-{os.environ['RANK']}.json").write_text(json.dumps(result))


def _as_it_is(storage: Any, location: str) -> Any:
    return storage if location.startswith("cpu:") else None


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2])
    os._exit(0)  # gloo's threads may abort an orderly exit
