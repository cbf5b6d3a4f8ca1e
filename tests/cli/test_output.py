"""What commands print for people."""

from arcal.cli.output import wrapped


def test_a_number_keeps_its_per_cent_sign(monkeypatch):
    monkeypatch.setenv("COLUMNS", "17")
    assert wrapped("it is right on 84.7 % of them") == "it is right on\n84.7 % of them"
