"""The simulations behind the docs' figures of made-up inputs."""

import re

import pytest

from benchmarks.made_up_inputs import inputs, main, patients, sharpness_for, wrong_and_sure


@pytest.mark.parametrize("accuracy", [0.6, 0.9])
def test_the_model_is_right_as_often_as_is_wanted(accuracy):
    z, y = inputs(20_000, 10, sharpness_for(accuracy, 10), seed=3)
    assert (z.argmax(1) == y).double().mean().item() == pytest.approx(accuracy, abs=0.01)
    assert z.softmax(1).amax(1).mean().item() == pytest.approx(accuracy, abs=0.01)


def test_one_input_of_each_patient_has_the_accuracy_for_a_patient():
    every, one, truth = (float(line.split(" ")[0]) for line in patients())
    assert every < truth - 5
    assert one == pytest.approx(truth, abs=2)


def test_without_labels_it_is_not_noticed_that_a_model_is_wrong_and_sure():
    (line,) = wrong_and_sure()
    estimate, low, high, right, before = map(float, re.findall(r"\d+\.\d", line))
    assert low < estimate < high
    assert low - 5 > right
    assert estimate == pytest.approx(before, abs=3)


def test_each_has_a_name(capsys):
    main("label")
    assert "treated: 1" in capsys.readouterr().out
