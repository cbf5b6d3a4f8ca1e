"""Other data and a calibrator that looks at a whole batch."""

import torch

from arcal.auditing import (
    CLEAN,
    Predictions,
    calibrated,
    fit_posthoc,
    out_of_distribution,
)
from arcal.data import Resized
from arcal.evaluation import evaluate, predict


def test_a_temperature_by_batch_sees_other_data_beside_test_images(trained):
    data, folders = trained.data, trained.vanilla
    subjects = evaluate(
        folders, data, [], "margin", ood=[data.validation], posthoc=["batch-temperature"]
    )
    other = Resized(data.validation, data.shape)
    name = next(path.stem for path in folders[0].path.rglob("ood-*.safetensors"))
    inside, outside = [], []
    for folder in folders:
        clean, far = predict(folder, data.test, CLEAN.name), predict(folder, other, name)
        known = predict(folder, data.validation, "validation")
        both = Predictions(
            torch.arange(len(clean.ids) + len(far.ids)),
            torch.cat([clean.labels, far.labels]),
            torch.cat([clean.logits, far.logits], dim=1),
        )
        both = calibrated(fit_posthoc("batch-temperature", known, folder.name), both)
        own = both.ids < len(clean.ids)
        inside.append(both.rows(own))
        outside.append(both.rows(~own))
    expected = out_of_distribution("tiny/validation", inside, outside)
    (told,) = subjects[1].ood
    assert list(map(vars, told.runs)) == list(map(vars, expected.runs))
    assert torch.equal(told.inside, expected.inside)
    assert torch.equal(told.outside, expected.outside)
    assert told.images == len(data.validation)
    measures = subjects[1].measures[CLEAN].runs[0]  # of the test set, which stays by itself
    assert measures["confidence"] == float(subjects[1].clean[0].confidence.mean())
