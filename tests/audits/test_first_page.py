"""A first page comes while an audit runs, and not again of what an earlier one has done."""

import pytest
import torch
from torch import nn

from arcal.audits import Audit, Examples, Job, Settings, run_jobs
from arcal.errors import ArcalError


def test_several_models_are_on_a_page_only_with_the_same_inputs(tmp_path):
    """A page of 1,500 inputs of one model beside 1,200 of another was refused, and so the audit."""
    x = torch.rand(1500, 4, generator=torch.Generator().manual_seed(0))
    examples = Examples.from_tensors(x, torch.arange(1500) % 2, name="mine")
    settings = Settings(order="margin", panel=())
    jobs = [
        Job(name, nn.Linear(4, 2).eval().requires_grad_(False), examples, settings=settings)
        for name in ("old", "new")
    ]
    seen: list[tuple[int, int]] = []

    def page(audited, done, total):
        Audit.from_jobs(jobs, audited, of=total).report(tmp_path / "page", images=False)
        seen.append((len(audited), done))

    both = run_jobs(jobs, work=tmp_path / "work", page=page)
    assert [len(one) for one in both] == [1500, 1500]
    assert [models for models, _ in seen] == [1, 1]
    assert 1000 <= seen[0][1] < seen[1][1] == 1500
    seen.clear()
    run_jobs(jobs, work=tmp_path / "work", page=page)
    assert seen == [], "what is read gets no page"


def _job(weights: torch.Tensor | None = None, R: int = 10) -> Job:
    x = torch.rand(1500, 4, generator=torch.Generator().manual_seed(0))
    examples = Examples.from_tensors(x, torch.arange(1500) % 2, name="mine", weights=weights)
    model = nn.Linear(4, 2).eval().requires_grad_(False)
    return Job("linear", model, examples, settings=Settings(order="margin", panel=()), R=R)


def test_inputs_that_say_nothing_by_themselves_get_no_page():
    """1,000 inputs in 1,200 levels, or without any weight, stopped the audit of 1,500."""
    last = Examples.from_tensors(torch.rand(1500, 4), torch.arange(1500) % 2).order()[-100:]
    weights = torch.zeros(1500, dtype=torch.float64).index_fill(0, last, 1.0)
    for job in (_job(R=1200), _job(weights)):
        seen: list[int] = []
        (one,) = run_jobs([job], page=lambda audited, done, total, to=seen: to.append(done))
        assert seen == []
        assert one.levels is not None
        assert sum(level.n for level in one.levels) == 1500


def test_inputs_that_all_weigh_nothing_are_refused_before_they_are_run():
    job = _job(torch.zeros(1500, dtype=torch.float64))
    done: list[int] = []
    with pytest.raises(ArcalError, match="all 1,500 inputs weigh 0"):
        run_jobs([job], progress=lambda n, total: done.append(n))
    assert done == []
