"""The table `[dynamics]`: that of the rule which trains, made of the keys that the rule declares.

Which rule it is, `rule` says; where it is left out, the weights do: ±1 by Metropolis, real ones by SGD.
`algorithm`, the older name of that key, may still name these two.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from mbsim.config.fields import field_of
from mbsim.config.problems import Problem, refused
from mbsim.config.tables import Model, Table
from mbsim.physics.keys import listed
from mbsim.physics.rules import RULES, Rule, rules_for

WEIGHTS = {"binary": "±1", "real": "real"}


class DynamicsTable(Table):
    """What the tables of all rules have."""

    rule: Any = None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @property
    def of(self) -> Rule:
        """The rule whose table this is."""
        return RULES[self.__pydantic_rule__]

    @property
    def length(self) -> int:
        """Length of the run, in the rule's unit of time."""
        return int(getattr(self, self.of.length))

    @property
    def options(self) -> dict[str, Any]:
        """The values of the keys that are no axes."""
        return {key.name: getattr(self, key.name) for key in self.of.keys if key.axis is None}


@cache
def table_of(name: str) -> type[DynamicsTable]:
    """The table of a rule."""
    rule = RULES[name]
    names = rules_for(rule.weights)
    words = f"{listed(names)} with {WEIGHTS[rule.weights]} weights; or left out for {names[0]}"
    default = name == names[0]
    fields: dict[str, Any] = {}
    if default:
        # To name the default and to leave it out are one run: they have one hash.
        fields["rule"] = (
            Annotated[Literal[name] | None, AfterValidator(lambda value: None)],
            Field(default=None, description=words),
        )
        fields["algorithm"] = _algorithm(name)
    else:
        fields["rule"] = Literal[name], Field(default=name, description=words)
    fields |= {key.name: field_of(key) for key in rule.keys}
    table = create_model(f"DynamicsOf{rule.title.title().replace(' ', '')}", __base__=DynamicsTable, **fields)
    table.__pydantic_rule__ = name  # type: ignore[attr-defined]
    return table


def _algorithm(name: str) -> Any:
    words = '"metropolis" with ±1 weights, "sgd" with real ones; or left out'
    if name == "metropolis":
        kind = Annotated[Literal["metropolis"] | None, AfterValidator(lambda value: None)]
        return kind, Field(default=None, description=words)
    return Literal[name], Field(default=name, description=words)  # part of the hash of every run by SGD


def dynamics_of(model: Model | None, value: Any) -> DynamicsTable:
    """The checked table for a model; `model` is None where that is wrong itself."""
    if isinstance(value, DynamicsTable):
        value = value.model_dump(exclude_unset=True)
    if not isinstance(value, Mapping):
        raise refused(Problem("", value, "must be a table, [dynamics]"))
    name = _rule_name(model, value)
    table = table_of(name)
    if foreign := _foreign_keys(name, value):
        raise refused(*foreign)
    return table.model_validate(dict(value))


def _rule_name(model: Model | None, value: Mapping[str, Any]) -> str:
    asked = value.get("rule")
    if model is None:  # the keys tell
        if isinstance(asked, str) and asked in RULES:
            return asked
        return next(
            (n for n, rule in RULES.items() if {k.name for k in rule.keys} & value.keys()), "metropolis"
        )
    names = rules_for(model.weights)
    if asked is None or asked in names:
        return names[0] if asked is None else asked
    if isinstance(asked, str) and asked in RULES:
        text = (
            f"trains {WEIGHTS[RULES[asked].weights]} weights, and the model's are {WEIGHTS[model.weights]}: "
        )
        raise refused(Problem("rule", asked, f"{text}must be {listed(names)}"))
    nearest = f'; nearest is "{RULES.nearest(asked, names)}"' if isinstance(asked, str) else ""
    raise refused(
        Problem("rule", asked, f"must be {listed(names)} with {WEIGHTS[model.weights]} weights{nearest}")
    )


def only_for(weights: str) -> str:
    """What is said of a key that belongs to other weights."""
    rule = RULES[rules_for(weights)[0]]
    return f'is for {WEIGHTS[weights]} weights trained by {rule.title}: set model.weights = "{weights}", or remove it'


def _foreign_keys(name: str, value: Mapping[str, Any]) -> list[Problem]:
    """Keys that belong to another rule."""
    rule, known = RULES[name], table_of(name).model_fields
    asked = value.get("algorithm")
    if asked in ("sgd", "metropolis") and RULES[asked].weights != rule.weights:
        return [Problem("algorithm", asked, only_for(RULES[asked].weights))]
    found = []
    for key, given in value.items():
        owners = [other for other in RULES.values() if key in {own.name for own in other.keys}]
        if key in known or not owners:
            continue
        other = owners[0]
        same = other.weights == rule.weights
        text = (
            f'is for rule = "{other.name}": set dynamics.rule, or remove it'
            if same
            else only_for(other.weights)
        )
        found.append(Problem(key, given, text))
    return found
