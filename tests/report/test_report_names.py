from arcal.calibration.posthoc import POSTHOC
from arcal.report.names import ABOUT, name_methods, set_title

LABELS = [
    "vanilla",
    "label-smoothing (epsilon 0.1)",
    "ar-adals (alpha 0.3, R 10, order gradient)",
]


def test_settings_are_put_into_words():
    vanilla, smoothing, adaptive = name_methods(LABELS)
    assert vanilla.title == vanilla.short == "Vanilla"
    assert smoothing.title == "Label smoothing, ε = 0.1"
    assert adaptive.title == "AR-AdaLS, R = 10, α = 0.3, gradient order"
    assert (smoothing.short, adaptive.short) == ("Label smoothing", "AR-AdaLS")


def test_short_names_tell_methods_of_one_kind_apart():
    orders = ("gradient", "random")
    names = name_methods([f"ar-adals (alpha 0.3, R 10, order {order})" for order in orders])
    assert [name.short for name in names] == [
        "AR-AdaLS, gradient order",
        "AR-AdaLS, random order",
    ]


def test_an_ensemble_keeps_its_members():
    (name,) = name_methods(["vanilla (3 members)"])
    assert name.title == "Vanilla, 3 members"


def test_what_else_tells_runs_apart_is_a_setting():
    labels = [
        "vanilla [small, 15 epochs, 0a1b2c3d4e5f]",
        "vanilla [small, 30 epochs, 6a7b8c9d0e1f]",
    ]
    first, _ = name_methods(labels)
    assert first.title == "Vanilla, small, 15 epochs, 0a1b2c3d4e5f"
    assert first.short == "Vanilla, 15 epochs, 0a1b2c3d4e5f"
    (adaptive,) = name_methods(["ar-adals (alpha 0.3, R 10) [small, 15 epochs, 0a1b2c3d4e5f]"])
    assert adaptive.title == "AR-AdaLS, R = 10, α = 0.3, small, 15 epochs, 0a1b2c3d4e5f"


def test_a_post_hoc_method_is_a_kind_of_its_own():
    labels = [
        "vanilla",
        "vanilla + temperature",
        "ar-adals (alpha 0.3, R 10)",
        "ar-adals (alpha 0.3, R 10) + irova-ts",
        "ar-adals (alpha 0.1, R 10) [small, 15 epochs, 0a1b2c3d4e5f] + irova-ts",
        "mine + ets",
    ]
    names = name_methods(labels)
    assert [name.kind for name in names] == [
        "Vanilla",
        "Vanilla + TS",
        "AR-AdaLS",
        "AR-AdaLS + IROvA-TS",
        "AR-AdaLS + IROvA-TS",
        "mine + ETS",
    ]
    assert names[1].title == names[1].short == "Vanilla + TS"
    assert names[2].short == "AR-AdaLS"
    assert names[3].title == "AR-AdaLS + IROvA-TS, R = 10, α = 0.3"
    assert names[3].short == "AR-AdaLS + IROvA-TS, α = 0.3"
    assert "15 epochs" in names[4].title
    assert len({(name.colour, name.marker) for name in names}) == 6
    (alone,) = name_methods(["vanilla + temperature"])
    assert (alone.colour, alone.marker) == (names[1].colour, names[1].marker)
    assert {"Vanilla + TS", "AR-AdaLS + IROvA-TS"} < set(ABOUT)


def test_every_post_hoc_method_has_a_name():
    short = {name.kind for name in name_methods([f"vanilla + {name}" for name in POSTHOC])}
    assert len(short) == len(POSTHOC)
    assert short < set(ABOUT)


def test_a_label_of_unknown_form_is_kept():
    (name,) = name_methods(["my <b>&method"])
    assert name.title == name.short == name.kind == "my <b>&method"


def test_colours_are_fixed_and_differ():
    alone = name_methods(LABELS[2:])[0]
    assert alone.colour == name_methods(LABELS)[2].colour
    eight = name_methods([*LABELS, *(f"ar-adals (alpha 0.{i})" for i in range(1, 6))])
    assert len({(name.colour, name.marker) for name in eight}) == 8
    many = name_methods([f"mine (a {i})" for i in range(30)])
    assert len({(name.colour, name.marker) for name in many}) == 30


def test_titles_of_sets():
    assert set_title("test") == "Clean test set"
    assert set_title("validation") == "Clean validation set"
    assert set_title("test-gaussian_noise-3") == "Gaussian noise of intensity 3"
    assert set_title("test-jpeg_compression-1") == "JPEG compression of intensity 1"
    assert set_title("validation-fog-5") == "Fog of intensity 5 (validation set)"
