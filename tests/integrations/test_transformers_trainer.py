"""The Trainer of transformers with soft labels, on one process and two."""
# pyright: reportMissingImports=false

from pathlib import Path

import pytest
import torch
from on_two_processes import check_two_processes

pytest.importorskip("transformers", reason="the extra `transformers` is not installed")
pytest.importorskip("accelerate", reason="the extra `transformers` is not installed")

from toy import LEVELS
from transformers_run import TRAIN, VALIDATION, Images, Net, over_confident, trainer

from arcal import ArcalError, levels, score, smooth_cross_entropy
from arcal.attacks.any_model import as_model
from arcal.integrations.transformers import RobustSmoothingTrainer

pytestmark = pytest.mark.filterwarnings("ignore")  # advice for larger trainings


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch):
    """Transformers 4 leaves bf16 in the environment, for the next Trainer as well."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")


def levels_by(model, data):
    """The levels of a data set by the order of the margin."""
    scores = score(as_model(model), [(torch.arange(len(data)), data.x, data.y)], "margin")
    return levels(scores.robustness, scores.ids, LEVELS)


def logged(made, name):
    return [entry[name] for entry in made.state.log_history if name in entry]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three epochs as they come, with a metric of the user's."""
    folder = tmp_path_factory.mktemp("whole")
    made, shadow = trainer(folder)
    made.compute_metrics = lambda p: {"right": float((p[0].argmax(1) == p[1]).mean())}
    made.train()
    return folder, made, shadow


def test_soft_labels_follow_the_whole_validation_set_once_an_epoch(whole):
    _, made, shadow = whole
    loss = made.smoothing.loss
    assert loss.epoch == 3
    assert loss.soft_label.tolist() == pytest.approx(shadow.soft_label, abs=1e-6)
    assert loss.soft_label.min() < 0.9
    assert loss.train_levels.levels.tolist() == levels_by(over_confident(), TRAIN).tolist()
    assert (
        loss.validation_levels.levels.tolist() == levels_by(over_confident(), VALIDATION).tolist()
    )


def test_evaluations_before_and_after_training_change_nothing(whole, tmp_path):
    _, made, _ = whole
    before = made.smoothing.state_dict()
    metrics = made.evaluate()
    assert "eval_right" in metrics
    assert made.predict(Images(5, 2, ids=False)).predictions.shape == (5, 3)
    after = made.smoothing.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again, _ = trainer(tmp_path, eval_on_start=True)
    again.train()
    assert again.smoothing.loss.epoch == 3
    assert again.smoothing.loss.soft_label.tolist() == before["soft_label"].tolist()


def test_accumulated_batches_give_the_loss_and_weights_of_whole_ones(tmp_path):
    """Of 96 examples an accumulation of 5 batches of 8 leaves 2 batches at the end."""
    runs = {}
    for size, steps in ((40, 1), (8, 5)):
        made, _ = trainer(
            tmp_path / str(steps),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=steps,
            logging_strategy="steps",
            logging_steps=1,
            optim="sgd",
        )
        made.train()
        runs[steps] = made
    assert runs[1].state.global_step == runs[5].state.global_step == 9
    for name in ("loss", "grad_norm"):
        assert logged(runs[5], name) == pytest.approx(logged(runs[1], name), rel=1e-4)
    expected = runs[1].smoothing.loss.soft_label.tolist()
    assert runs[5].smoothing.loss.soft_label.tolist() == pytest.approx(expected, abs=1e-5)


def test_the_loss_is_that_of_the_soft_labels(tmp_path):
    made, _ = trainer(tmp_path)
    loss = made.smoothing.loss
    loss.assign("train", torch.arange(96), levels_by(over_confident(), TRAIN))
    loss.soft_label[:] = torch.tensor([0.6, 0.8, 1.0])
    batch = made.data_collator([TRAIN[i] for i in range(8)])
    inputs = made._prepare_inputs({name: t for name, t in batch.items() if name != "note"})
    made.model.train()
    epsilon = loss.epsilon[levels_by(over_confident(), TRAIN)[:8]].float()
    logits = made.model(TRAIN.x[:8]).logits
    expected = smooth_cross_entropy(logits, TRAIN.y[:8], epsilon)
    assert float(made.compute_loss(made.model, inputs)) == pytest.approx(float(expected))


@pytest.mark.parametrize("bf16", [False, True])
def test_the_model_itself_ranks_after_some_epochs(bf16, tmp_path):
    """In float32, also where it trains in bf16."""
    settings = {"vanilla": 1, "rescore": [2]}
    made, _ = trainer(tmp_path, 2, settings=settings | {"rescore": []}, bf16=bf16)
    made.train()
    assert made.smoothing.loss.epoch == 1
    alone = Net.from_pretrained(tmp_path / "checkpoint-12")
    assert made.smoothing.loss.train_levels.levels.tolist() == levels_by(alone, TRAIN).tolist()
    again, _ = trainer(tmp_path / "again", 3, settings=settings, bf16=bf16)
    again.train()
    alone = Net.from_pretrained(tmp_path / "again" / "checkpoint-24")
    assert again.smoothing.loss.train_levels.levels.tolist() == levels_by(alone, TRAIN).tolist()


def test_a_run_that_was_cut_short_ends_in_the_same_soft_labels(whole, tmp_path):
    folder, made, _ = whole
    checkpoint = folder / "checkpoint-24"
    resumed, _ = trainer(tmp_path, settings={"vanilla": Net()})
    resumed.train(resume_from_checkpoint=str(checkpoint))
    loss = resumed.smoothing.loss
    assert loss.epoch == 3
    assert loss.soft_label.tolist() == made.smoothing.loss.soft_label.tolist()
    for w, expected in zip(resumed.model.parameters(), made.model.parameters(), strict=True):
        assert torch.equal(w, expected)


class Own(RobustSmoothingTrainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs)
        return (outputs.loss, outputs) if return_outputs else outputs.loss


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"data": {"train_dataset": Images(96, 0, ids=False)}}, "labels under"),
        ({"settings": {"vanilla": 2}, "data": {"eval_dataset": Images(33, 1, ids=False)}},
         "add a column of ids"),
        ({"kind": Own}, "leave out its own compute_loss"),
        ({"eval_strategy": "steps"}, "give 'epoch'"),
        ({"label_smoothing_factor": 0.1}, "leave it out"),
        ({"settings": {"added": {"perturbed": 0.5}}}, "leave it out of added"),
        ({"settings": {"added": {"augmix": 12.0, "mixup": 0.2}}}, "leave mixup out"),
        ({"settings": {"vanilla": 3}}, "name an earlier epoch"),
        ({"settings": {"vanilla": "nowhere"}}, "not a folder that save_pretrained wrote"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(arguments, says, tmp_path):
    with pytest.raises(ArcalError, match=says) as caught:
        trainer(tmp_path, **arguments)[0].train()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_two_processes_learn_from_all_and_continue_when_killed(tmp_path):
    """DDP with accumulation, in bf16: one run as it is, and one that is killed and continued."""
    program = Path(__file__).with_name("transformers_run.py")
    check_two_processes(program, tmp_path, epochs=3)
