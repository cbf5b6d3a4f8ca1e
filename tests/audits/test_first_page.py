"""A first page comes while an audit runs, and not again of what an earlier one has done."""

import torch
from torch import nn

from arcal.audits import Examples, Job, Settings, run_jobs


def test_what_is_read_gets_no_page_before_the_last(tmp_path):
    x = torch.rand(1500, 4, generator=torch.Generator().manual_seed(0))
    examples = Examples.from_tensors(x, torch.arange(1500) % 2, name="mine")
    model = nn.Linear(4, 2).eval().requires_grad_(False)
    job = Job("linear", model, examples, settings=Settings(order="margin", panel=()))

    def pages() -> list[int]:
        seen: list[int] = []
        run_jobs(
            [job],
            work=tmp_path,
            progress=lambda done, total: None,
            skipped=lambda done, total: None,
            page=lambda audited, done, total: seen.append(done),
        )
        return seen

    first = pages()
    assert len(first) == 1
    assert 1000 <= first[0] < 1500
    assert pages() == []
