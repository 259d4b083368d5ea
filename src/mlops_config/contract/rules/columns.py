"""Rules over the columns of the training data and how rows are held out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, Environment, File, environment_rule, file_rule
from mlops_config.contract.rules.wording import instead, listed, number
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import TrainingConfig

MOST_HELD_OUT_FRACTION = 0.9


def column_types(training: "TrainingConfig") -> dict[str, str]:
    """The type of every column of the schema but the target, features and identifiers alike."""
    return {
        column.name: column.type for column in (*training.schema_.features, *training.schema_.identifiers)
    }


@file_rule("C04", "A column is defined twice", Kind.TRAINING)
def columns_are_unique(file: File) -> Iterator[Breach]:
    """Each column stands once in the schema: as a feature, as an identifier, or as the target.

    Why: two definitions of one column contradict each other sooner or later, and a target among the
    features gives the model its own answer.

    Mend: remove one of the two, or rename it.
    """
    training: TrainingConfig = file.config
    seen: dict[str, ConfigPath] = {}
    for group, columns in (
        ("features", training.schema_.features),
        ("identifiers", training.schema_.identifiers),
    ):
        for index, column in enumerate(columns):
            path: ConfigPath = ("schema", group, index, "name")
            if column.name in seen:
                yield file.breach(
                    path,
                    f"the column {column.name} is defined twice",
                    "remove one of the two, or name another column",
                    file.see(seen[column.name], "first defined here"),
                )
            seen.setdefault(column.name, path)
    target = training.schema_.target.name
    if target in seen:
        yield file.breach(
            seen[target],
            f"{target} is the column to predict, so it cannot be one of the {seen[target][1]}",
            "remove it here, or name another target",
            file.see(("schema", "target", "name"), f"the target is {target}"),
        )


@file_rule("C05", "A range or domain that cannot hold", Kind.TRAINING)
def ranges_and_domains_hold(file: File) -> Iterator[Breach]:
    """The lower end of a `range` lies below its upper end, and every value of a `domain` lies in the
    `range`.

    Why: no row could ever satisfy the column, so every run would fail or set all rows aside.

    Mend: put the smaller number first, or drop the values or the bound that is wrong.
    """
    training: TrainingConfig = file.config
    for index, feature in enumerate(training.schema_.features):
        yield from _bounds_and_domain(file, ("schema", "features", index), feature)
    for index, feature in enumerate(training.schema_.identifiers):
        yield from _bounds_and_domain(file, ("schema", "identifiers", index), feature)
    yield from _bounds_and_domain(file, ("schema", "target"), training.schema_.target)


def _bounds_and_domain(file: File, path: ConfigPath, column: object) -> Iterator[Breach]:
    low, high = getattr(column, "range", None) or (None, None)
    if low is not None and high is not None and low >= high:
        yield file.breach(
            (*path, "range"),
            f"the range begins at {low:g}, which is not below its end {high:g}",
            f"write [{high:g}, {low:g}]" if low > high else "widen the range, or leave it out",
        )
        return
    for index, value in enumerate(getattr(column, "domain", None) or ()):
        if isinstance(value, str):
            return
        if (low is not None and value < low) or (high is not None and value > high):
            yield file.breach(
                (*path, "domain", index),
                f"{value} is in the domain but outside the range from {_end(low)} to {_end(high)}",
                "remove the value from the domain, or widen the range",
                file.see((*path, "range"), "the range"),
            )


def _end(bound: float | None) -> str:
    return "unbounded" if bound is None else f"{bound:g}"


@file_rule("C06", "A column that is not in the schema", Kind.TRAINING)
def named_columns_exist(file: File) -> Iterator[Breach]:
    """`data.timestamp_column`, `data.entity_key`, `split.key` and the columns of `evaluation.slices` are
    columns of the schema, and the timestamp column has the type `timestamp`.

    Why: the job would stop at the first row, after the machines were paid for.

    Mend: correct the name, or add the column: among `schema.features`, or among `schema.identifiers` if the
    model must not learn from it.
    """
    training: TrainingConfig = file.config
    types = column_types(training)
    named: list[tuple[ConfigPath, str | None]] = [
        (("data", "timestamp_column"), training.data.timestamp_column),
        (("data", "entity_key"), training.data.entity_key),
    ]
    if training.split.strategy == "group" or training.split.strategy == "hash":
        named.append((("split", "key"), training.split.key))
    for index, each in enumerate(training.evaluation.slices):
        if each.column != training.schema_.target.name:
            named.append((("evaluation", "slices", index, "column"), each.column))
    for path, name in named:
        if name is not None and name not in types:
            yield file.breach(
                path,
                f"there is no column {name} in the schema",
                instead(name, types, f"add it to schema.identifiers, or name one of {listed(types)}"),
                file.see(("schema",), "the columns of the schema"),
            )
    timestamp = training.data.timestamp_column
    if timestamp in types and types[timestamp] != "timestamp":
        yield file.breach(
            ("data", "timestamp_column"),
            f"{timestamp} is to date the rows, but its type is {types[timestamp]}",
            "give the column the type timestamp, or name another column",
        )


@file_rule("C07", "A split or window without the column it goes by", Kind.TRAINING)
def split_has_its_column(file: File) -> Iterator[Breach]:
    """A split by time and a `data.window` need `data.timestamp_column`; a split by group or hash needs a
    `split.key` or a `data.entity_key`.

    Why: without the column nothing says which rows are new, or which belong together.

    Mend: name the column, or choose the strategy `random`.
    """
    training: TrainingConfig = file.config
    if training.data.timestamp_column is None:
        if training.split.strategy == "time":
            yield file.breach(
                ("split", "strategy"),
                "a split by time holds out the newest rows, but nothing says how old a row is",
                "set data.timestamp_column, or choose another strategy",
            )
        if training.data.window is not None:
            yield file.breach(
                ("data", "window"),
                "only recent rows are wanted, but nothing says how old a row is",
                "set data.timestamp_column, or leave the window out",
            )
    if (
        (training.split.strategy == "group" or training.split.strategy == "hash")
        and training.split.key is None
        and training.data.entity_key is None
    ):
        yield file.breach(
            ("split", "strategy"),
            f"a split by {training.split.strategy} keeps the rows of one key together, but names no key",
            "set split.key or data.entity_key, or choose another strategy",
        )


@file_rule("C08", "Too few rows are left to train on", Kind.TRAINING)
def split_leaves_rows(file: File) -> Iterator[Breach]:
    """`split.test_fraction` and `split.validation_fraction` together are below 0.9.

    Why: what is held out is not learned from, and a model of a tenth of the rows is not the model to judge.

    Mend: make the fractions smaller; 0.2 and 0.1 are the defaults.
    """
    split = file.config.split
    held_out = round(split.test_fraction + split.validation_fraction, 9)
    if held_out >= MOST_HELD_OUT_FRACTION:
        yield file.breach(
            ("split", "test_fraction"),
            f"test_fraction {split.test_fraction:g} and validation_fraction {split.validation_fraction:g}"
            f" hold out {number(held_out)} of the rows; it must be less than {MOST_HELD_OUT_FRACTION:g}",
            "make them smaller, such as 0.2 and 0.1",
            file.see(("split", "validation_fraction"), "held out as well"),
        )


@environment_rule("X19", "Retraining by time without a timestamp column", Kind.TRAINING, Kind.RETRAIN)
def retraining_knows_new_rows(environment: Environment) -> Iterator[Breach]:
    """A retrain file that goes by the age of rows needs the training file's `data.timestamp_column`: with
    `data.window` of type `sliding` or `since_last_train`, and with a trigger `new_data`.

    Why: without the column nothing says which rows are new.

    Mend: set `data.timestamp_column` in the training file, or choose the window `expanding` and another
    trigger.
    """
    if environment.training.data.timestamp_column is not None:
        return
    retrain = environment.retrain
    missing = environment.see(Kind.TRAINING, ("data",), "timestamp_column is not set here")
    if retrain.data.window.type != "expanding":
        yield environment.breach(
            Kind.RETRAIN,
            ("data", "window", "type"),
            f"the window {retrain.data.window.type} goes by the age of rows, but the training file has no"
            " data.timestamp_column",
            "set data.timestamp_column in the training file, or choose the window expanding",
            missing,
        )
    for index, trigger in enumerate(retrain.triggers):
        if trigger.type == "new_data":
            yield environment.breach(
                Kind.RETRAIN,
                ("triggers", index, "type"),
                "new rows are to start a retraining, but the training file has no data.timestamp_column",
                "set data.timestamp_column in the training file, or remove the trigger",
                missing,
            )


@environment_rule("X22", "The holdout leaves too few rows", Kind.TRAINING, Kind.RETRAIN)
def holdout_leaves_rows(environment: Environment) -> Iterator[Breach]:
    """`data.holdout.fraction` of the retrain file and `split.validation_fraction` of the training file
    together are below 0.9.

    Why: a challenger learns from what neither of them holds out; the holdout takes the place of the test
    rows.

    Mend: make one of them smaller.
    """
    holdout = environment.retrain.data.holdout.fraction
    validation = environment.training.split.validation_fraction
    if round(holdout + validation, 9) >= MOST_HELD_OUT_FRACTION:
        yield environment.breach(
            Kind.RETRAIN,
            ("data", "holdout", "fraction"),
            f"the holdout of {holdout:g} and the training file's validation_fraction {validation:g} hold out"
            f" {number(holdout + validation)} of the rows; it must be less than {MOST_HELD_OUT_FRACTION:g}",
            "make one of them smaller",
            environment.see(Kind.TRAINING, ("split", "validation_fraction"), "held out as well"),
        )
