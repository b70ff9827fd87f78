"""Image references, as far as defaults look into them."""


def image_tag(image: str) -> str:
    """The tag of an image reference: `latest` when it has neither tag nor digest, empty when it has a digest only."""
    name, at, _ = image.partition("@")
    last = name.rpartition("/")[2]
    tag = last.partition(":")[2]
    if tag:
        return tag
    return "" if at else "latest"


def default_pull_policy(image: str) -> str:
    return "Always" if image_tag(image) == "latest" else "IfNotPresent"
