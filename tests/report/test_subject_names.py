"""What subjects and sets are called, and that no two subjects look alike."""

from arcal.auditing import Method, Subject
from arcal.report.names import name_subjects

VANILLA = Method("vanilla")
SMOOTHING = Method("label-smoothing", {"epsilon": 0.1})
ADAPTIVE = Method("ar-adals", {"alpha": 0.3, "R": 10, "order": "gradient", "attack": None})


def named(*methods):
    """The names of subjects trained by these; a string is one of which no method is known."""
    return name_subjects(
        [
            Subject(method, {}, {}, [(0,)])
            if isinstance(method, str)
            else Subject(method.label, {}, {}, [(0,)], method=method)
            for method in methods
        ]
    )


def test_short_names_tell_methods_of_one_kind_apart():
    orders = ("gradient", "random")
    names = named(*(Method("ar-adals", {"alpha": 0.3, "order": order}) for order in orders))
    assert [name.short for name in names] == ["AR-AdaLS, gradient order", "AR-AdaLS, random order"]
    assert names[0].on_lines == "AR-AdaLS\ngradient order"
    assert named("trees, deep")[0].on_lines == "trees, deep", "a model's own name stays whole"


def test_what_else_tells_runs_apart_stands_with_the_settings():
    details = [("small", "15 epochs", "0a1b2c3d4e5f"), ("small", "30 epochs", "6a7b8c9d0e1f")]
    first, _ = named(*(Method("vanilla", details=one) for one in details))
    assert first.title == "Vanilla, small, 15 epochs, 0a1b2c3d4e5f"
    assert first.short == "Vanilla, 15 epochs", "a digest says nothing more"
    alike = [("small", "15 epochs", digest) for digest in ("0a1b2c3d4e5f", "6a7b8c9d0e1f")]
    longer = Method("vanilla", details=details[1])
    names = named(*(Method("vanilla", details=one) for one in alike), longer)
    assert [name.short for name in names] == [
        "Vanilla, 15 epochs, 0a1b2c3d4e5f",
        "Vanilla, 15 epochs, 6a7b8c9d0e1f",
        "Vanilla, 30 epochs",
    ]
    (adaptive,) = named(Method("ar-adals", {"alpha": 0.3, "R": 10}, details=details[0]))
    assert adaptive.title == "AR-AdaLS, R = 10, α = 0.3, small, 15 epochs, 0a1b2c3d4e5f"


def test_a_post_hoc_method_is_a_kind_of_its_own():
    adaptive = Method("ar-adals", {"alpha": 0.3, "R": 10})
    names = named(
        VANILLA,
        Method("vanilla", posthoc="temperature"),
        adaptive,
        Method("ar-adals", adaptive.settings, posthoc="irova-ts"),
        Method("ar-adals", {"alpha": 0.1, "R": 10}, posthoc="irova-ts"),
        Method("mine", posthoc="ets"),
    )
    assert [name.kind for name in names] == [
        "Vanilla",
        "Vanilla + TS",
        "AR-AdaLS",
        "AR-AdaLS + IROvA-TS",
        "AR-AdaLS + IROvA-TS",
        "mine + ETS",
    ]
    assert names[1].title == names[1].short == "Vanilla + TS"
    assert "temperature scaling" in names[1].about
    assert names[2].short == "AR-AdaLS"
    assert names[3].title == "AR-AdaLS + IROvA-TS, R = 10, α = 0.3"
    assert names[3].short == "AR-AdaLS + IROvA-TS, α = 0.3"
    assert len({(name.mark.colour, name.mark.marker) for name in names}) == 6
    (alone,) = named(Method("vanilla", posthoc="temperature"))
    assert (alone.mark.colour, alone.mark.marker) == (names[1].mark.colour, names[1].mark.marker)


def test_no_two_subjects_look_alike_and_the_known_ones_always_look_the_same():
    def look(name):
        return name.mark.colour, name.mark.marker

    (alone,) = named(ADAPTIVE)
    assert look(alone) == look(named(VANILLA, SMOOTHING, ADAPTIVE)[2])
    others = [Method("ar-adals", {"alpha": i / 10}) for i in range(1, 6)]
    assert len(set(map(look, named(VANILLA, SMOOTHING, ADAPTIVE, *others)))) == 8
    assert len(set(map(look, named(*(Method("mine", {"a": i}) for i in range(30)))))) == 30
    assert len(set(map(look, named("mine", "yours", "vanilla")))) == 3
