from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import EXIT_USAGE, UsageError
from curation.recipe import Recipe
from curation.recipe_file import load_recipe, recipe_yaml


def load(folder: Path, text: str | bytes, *overrides: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_recipe(str(path), list(overrides))


def refusal(folder: Path, text: str | bytes, *overrides: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, text, *overrides)
    assert caught.value.exit_code == EXIT_USAGE
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(folder) + "/", "")


def test_defaults(tmp_path: Path) -> None:
    assert load_recipe(None, []) == Recipe()
    assert load(tmp_path, "") == Recipe()
    assert load(tmp_path, "# only a comment\n") == Recipe()


def test_values_of_the_file_and_of_the_command_line(tmp_path: Path) -> None:
    recipe = load(tmp_path, "seed: 3\nfilter:\n  alpha: 3\n  positives: [a, b]\n", "filter.alpha=4.5", "dedup.threshold=0.5", "seed=4")
    assert (recipe.seed, recipe.filter.alpha, recipe.filter.positives, recipe.dedup.threshold) == (4, 4.5, ["a", "b"], 0.5)


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    # YAML 1.1 takes 6e-4 for a text; 1.2 does not.
    train = load(tmp_path, "train: {learning_rate: 6e-4, tokens: 300_000_000, epsilon: 1.0e-8}", "train.weight_decay=1e-1").train
    assert (train.learning_rate, train.tokens, train.epsilon, train.weight_decay) == (0.0006, 300_000_000, 1e-8, 0.1)


@given(source=st.text(min_size=1).filter(str.isprintable), seed=st.integers(0, 2**63 - 1), alpha=st.floats(1e-9, 1e9))
def test_resolved_recipe_reads_as_the_same(tmp_path_factory: pytest.TempPathFactory, source: str, seed: int, alpha: float) -> None:
    recipe = Recipe.model_validate({"seed": seed, "crawl": {"source": source}, "filter": {"alpha": alpha}})
    path = tmp_path_factory.getbasetemp() / "resolved.yaml"
    path.write_bytes(recipe_yaml(recipe))
    assert load_recipe(str(path), []) == recipe
    assert yaml.safe_load(recipe_yaml(recipe))["train"]["preset"] == "gpt3-small"


def test_number_like_text_is_quoted() -> None:
    assert b"source: '1e5'" in recipe_yaml(Recipe.model_validate({"crawl": {"source": "1e5"}}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nfilter:\n  alhpa: 9\n", "recipe.yaml line 3: unknown key filter.alhpa; did you mean alpha?"),
        ("filtr: {}", "recipe.yaml line 1: unknown key filtr; did you mean filter?"),
        ("crawl:\n  limits:\n    body_byte: 5", "recipe.yaml line 3: unknown key crawl.limits.body_byte; did you mean body_bytes?"),
        ("report: {zzz: 1}", "recipe.yaml line 1: unknown key report.zzz; known are title, samples"),
        ("seed: one", "recipe.yaml line 1: seed: input should be a valid integer, not 'one'"),
        ("seed: 1.5", "recipe.yaml line 1: seed: input should be a valid integer, not 1.5"),
        ("seed: -1", "recipe.yaml line 1: seed: input should be greater than or equal to 0, not -1"),
        ("seed: yes", "recipe.yaml line 1: seed: input should be a valid integer, not True"),
        ("\n\ndedup:\n  threshold: 1.01", "recipe.yaml line 4: dedup.threshold: input should be less than or equal to 1, not 1.01"),
        ("dedup: {threshold: .nan}", "recipe.yaml line 1: dedup.threshold: input should be a finite number, not nan"),
        ("filter: {alpha: .inf}", "recipe.yaml line 1: filter.alpha: input should be a finite number, not inf"),
        (
            "filter: {keep_rule: no}",
            (
                "filter: {keep_rule: no}",
                "recipe.yaml line 1: filter.keep_rule: input should be 'pareto', 'threshold', 'top_fraction' or 'none', not False",
            ),
        ),
        ("filter: {positives: file.txt}", "recipe.yaml line 1: filter.positives: input should be a valid list, not 'file.txt'"),
        ("filter: 5", "recipe.yaml line 1: filter: input should be a valid dictionary or instance of FilterSettings, not 5"),
        ("- a\n", "recipe.yaml line 1: a recipe is a mapping of sections, such as 'crawl:'"),
        ("text", "recipe.yaml line 1: a recipe is a mapping of sections, such as 'crawl:'"),
        ("seed: 1\nfilter: {alpha: 9", "recipe.yaml line 2: not valid YAML (expected ',' or '}', but got '<stream end>')"),
        ("seed: [1", "recipe.yaml line 1: not valid YAML (expected ',' or ']', but got '<stream end>')"),
        ("seed: 1\nfilter: {}\nseed: 2\n", "recipe.yaml line 3: seed is given a second time, after line 1; keep one"),
        ("filter:\n  alpha: 1\n  alpha: 2\n", "recipe.yaml line 3: filter.alpha is given a second time, after line 2; keep one"),
        ("seed: !!python/object/apply:os.system ['true']", "recipe.yaml line 1: not valid YAML (could not determine a constructor"),
        ("seed: \0", "recipe.yaml: not valid YAML (unacceptable character #x0000: special characters are not allowed)"),
        ("1: 2", "recipe.yaml line 1: 1: keys should be strings, not 1"),
        ("filter: &a {alpha: *a}", "recipe.yaml line 1: not valid YAML (an anchor stands inside itself)"),
        ("&a\nfilter: *a", "recipe.yaml line 1: not valid YAML (an anchor stands inside itself)"),
        ("decontaminate: {benchmarks: [&a {name: *a}]}", "recipe.yaml line 1: not valid YAML (an anchor stands inside itself)"),
        ("\nseed: 0x" + "f" * 5000, "recipe.yaml line 2: not valid YAML ('0xfffff"),
        ("seed: " + "9" * 5000, "recipe.yaml line 1: not valid YAML ('99999"),
        ("seed: !!bool x", "recipe.yaml line 1: not valid YAML ('x' cannot be read as bool)"),
        ("seed: !!timestamp x", "recipe.yaml line 1: not valid YAML ('x' cannot be read as timestamp)"),
        ("seed: 2020-99-99", "recipe.yaml line 1: not valid YAML ('2020-99-99' cannot be read as timestamp)"),
        ("decontaminate: {benchmarks: [{name: !!binary /w==}]}", "recipe.yaml line 1: not valid YAML (bytes are no value"),
        ('seed: "\\ud800"', "recipe.yaml line 1: not valid YAML (a lone surrogate, which UTF-8 cannot hold)"),
        ("seed: " + "[" * 101 + "]" * 101, "recipe.yaml line 1: not valid YAML (nested more than 100 deep)"),
        ("seed: " + "[" * 5000, "recipe.yaml: not valid YAML (nested more than 100 deep)"),
        ('"a\\nb": 1', "recipe.yaml line 1: unknown key a\\nb; "),
        (
            "decontaminate:\n  benchmarks:\n  - {name: a, name: b}",
            "recipe.yaml line 3: decontaminate.benchmarks.0.name is given a second time, after line 3; keep one",
        ),
        (b"seed: \xff", "recipe.yaml is no UTF-8 text; a recipe is a YAML file"),
    ],
)
def test_refused_recipes(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("filter.alpha", "--set filter.alpha: write section.key=value, such as --set filter.alpha=9"),
        ("=9", "--set =9: write section.key=value"),
        ("filter..alpha=9", "--set filter..alpha=9: write section.key=value"),
        ("filter.alpha=x", "--set filter.alpha=x: filter.alpha: input should be a valid number, not 'x'"),
        ("filter.alhpa=9", "--set filter.alhpa=9: unknown key filter.alhpa; did you mean alpha?"),
        ("filter.positives=[a", "--set filter.positives=[a: not valid YAML (expected"),
        ("seed=!!bool x", "--set seed=!!bool x: not valid YAML ('x' cannot be read as bool)"),
        ("seed=!!timestamp x", "--set seed=!!timestamp x: not valid YAML ('x' cannot be read as timestamp)"),
        ("filter.alpha=" + "[" * 3000, "--set filter.alpha=[[[["),
        ("seed=a\nb", "--set seed=a\\nb: seed: input should be a valid integer, not 'a b'"),
        ("a\n" * 500 + "=1", "--set a\\na\\n"),
        ("train.mixture={a: 1, a: 2}", "--set train.mixture={a: 1, a: 2}: train.mixture.a is given a second time"),
        ("seed.deep=1", "--set seed.deep=1: seed is no section of the recipe"),
        ("seed=", "--set seed=: seed: input should be a valid integer, not None"),
    ],
)
def test_refused_overrides(tmp_path: Path, override: str, message: str) -> None:
    said = refusal(tmp_path, "seed: 5\nfilter: {alpha: 5}\n", override)
    assert said.startswith(message)
    assert len(said) <= 300


def test_an_anchor_beside_itself_is_no_cycle(tmp_path: Path) -> None:
    recipe = load(tmp_path, "decontaminate: {benchmarks: [{name: &a mine, split: *a, fields: &b [q]}, {name: two, fields: *b}]}")
    assert recipe.decontaminate.benchmarks == [{"name": "mine", "split": "mine", "fields": ["q"]}, {"name": "two", "fields": ["q"]}]


def test_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipe: no such file: .*missing\.yaml; check the path"):
        load_recipe(str(tmp_path / "missing.yaml"), [])
    with pytest.raises(UsageError, match=r"recipe: cannot open .*: Is a directory"):
        load_recipe(str(tmp_path), [])
