"""Cuts the requests that tests need out of GitHub's published OpenAPI description, to lie beside the tests.

    tools/github_openapi.py FOLDER

FOLDER holds the unpacked npm package ``@octokit/openapi`` (``npm install @octokit/openapi``; then it is
``node_modules/@octokit/openapi``). The part is small enough to review, and a new version shows as a diff.
"""

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "tests" / "services" / "github_openapi.json"

OPERATIONS = {
    "/repos/{owner}/{repo}/git/ref/{ref}": ("get",),
    "/repos/{owner}/{repo}/issues": ("get", "post"),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("get", "patch", "delete"),
    "/repos/{owner}/{repo}/issues/{issue_number}": ("get", "patch"),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/releases": ("get", "post"),
    "/repos/{owner}/{repo}/releases/tags/{tag}": ("get",),
    "/repos/{owner}/{repo}/releases/{release_id}": ("get", "patch"),
    "/user": ("get",),
}
"""Path -> methods; what is not here the stand-in answers with 404 and reports."""

PROSE = {"description", "summary", "example", "examples", "externalDocs", "tags"}
"""Keys that say nothing a check could use."""


def main() -> None:
    """Writes the part and the licence it comes under."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    package = Path(sys.argv[1])
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    whole = json.loads((package / "generated" / "api.github.com.json").read_text("utf-8"))
    TARGET.write_text(json.dumps(part_of(whole, version), indent=1, sort_keys=True) + "\n", "utf-8")
    TARGET.with_suffix(".LICENSE").write_text(
        f"{TARGET.name} is a part of generated/api.github.com.json in @octokit/openapi {version}, which comes"
        f" under this licence:\n\n{(package / 'LICENSE').read_text('utf-8').strip()}\n",
        "utf-8",
    )


def part_of(whole: dict[str, Any], version: str) -> dict[str, Any]:
    """``OPERATIONS`` of the whole description, with every component they refer to and no prose."""
    paths = {
        path: {key: value for key, value in whole["paths"][path].items() if key in (*methods, "parameters")}
        for path, methods in OPERATIONS.items()
    }
    part: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": {
            "title": "Part of GitHub's REST API",
            "version": version,
            "license": {"name": "MIT"},
        },
        "servers": [{"url": "https://api.github.com"}],
        "paths": without_prose(paths),
        "components": {},
    }
    # basic-error describes the refusals that GitHub documents for all requests together.
    wanted = {"#/components/schemas/basic-error"} | references(part["paths"])
    while wanted:
        reference = wanted.pop()
        _, _, section, name = reference.split("/")
        components = part["components"].setdefault(section, {})
        if name not in components:
            components[name] = without_prose({section: {name: whole["components"][section][name]}})[section][
                name
            ]
            wanted |= references(components[name])
    return part


def without_prose(node: Any, *, names: bool = False) -> Any:
    """``node`` without :data:`PROSE`; ``names`` says that its keys name things and are not the format's."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: without_prose(value, names=key in ("properties", "headers"))
        for key, value in node.items()
        if names or (key not in PROSE and not key.startswith("x-"))
    }
    for response in kept.get("responses", {}).values():
        if "$ref" not in response:
            response["description"] = ""  # a response needs one to be valid
    return kept


def references(node: Any) -> set[str]:
    """Every ``$ref`` in ``node``."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


if __name__ == "__main__":
    main()
