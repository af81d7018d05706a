"""Attributes of models that version 0.1 saved, under the names of today: last night's model starts tonight's warm."""

from recmodels.base import State

OPTIONAL = ("history_vectors_", "user_vectors_", "user_term_vectors_")


def current_state(state: State) -> State:
    """What was saved, with today's names and types; a state of today stays as it is.

    Version 0.1 saved each array as an attribute of its own ("table.had_terms_", "network.inner.bias_") and left out
    those that a model has not.
    """
    new: State = dict.fromkeys(OPTIONAL) | {"tables_": {}, "accumulators_": {}, "network_": {}}
    for name, value in state.items():
        group, dot, part = name.removesuffix("_").partition(".")
        if dot:
            group = {"table": "tables_", "squares": "accumulators_", "network": "network_"}[group]
            new[group][part.replace("had", "history")] = value
        else:
            new[name.replace("had_vectors_", "history_vectors_")] = value
    return new
