"""Names of a network's parameters in models that version 0.1 saved, which are still read."""

_OF_NETWORK = {"first": "ln_in", "fusion": "user_cross", "last": "ln_f"}
_OF_PARTS = {
    "first": "ln_1", "second": "ln_2", "wide": "mlp", "out": "proj", "bias_at": "relative_bias",
    "filtered": "ln_filter", "attended": "ln_attention", "widened": "ln_mlp", "beta_root": "sqrt_beta",
    "users": "user_embedding", "layers": "cross_layers",
}  # fmt: skip


def current_name(name: str) -> str:
    """Today's name of a parameter, its network's number first: "0.blocks.1.wide.0.bias" is "0.blocks.1.mlp.0.bias"."""
    number, head, *parts = name.split(".")
    return ".".join((number, _OF_NETWORK.get(head, head), *(_OF_PARTS.get(part, part) for part in parts)))
