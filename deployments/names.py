"""How deployments are called: by what they do, with the site whose they are, which is also one of their tags."""

TAG = "nightrec"


def deployment(flow: str, of: str) -> str:
    """The full name of a deployment, of a site (`nightly/nightly-shop`) or a pool (`train-model/train-model-gpu`)."""
    return f"{flow}/{flow}-{of}"


def former(flow: str, of: str) -> str:
    """What it was called before, when many had the same name."""
    return f"{flow}/{of}"
