"""Rules that hold in every file: no credentials, and no value listed twice."""

from collections.abc import Iterator

from mlops_config.contract.rules.credentials import SECRET_REFERENCE, looks_like, names_a_secret
from mlops_config.contract.rules.engine import Breach, File, file_rule
from mlops_config.contract.rules.walk import nodes
from mlops_config.kinds import Kind


@file_rule("C01", "A credential in a file", *Kind)
def no_credentials(file: File) -> Iterator[Breach]:
    """No value looks like a credential: a token, key or signed address of a known shape, a private key, a
    password in a URL, or any text under a key that is named for a secret, such as `db_password`.

    Why: the files go into git, images and stores, from where nothing can be taken back.

    Mend: revoke the credential, put its successor into your secret store, and write `secret://<name>` where
    a field takes a secret; elsewhere leave it out. The message never repeats the value.
    """
    for path, value in nodes(file.config):
        if not isinstance(value, str) or value.startswith(SECRET_REFERENCE):
            continue
        what = looks_like(value)
        key = path[-1]
        if what is None and isinstance(key, str) and names_a_secret(key):
            what = f"a secret, going by its key {key}"
        if what:
            yield file.breach(
                path,
                f"the value looks like {what}; here it would be stored in git, images and stores",
                "revoke it, keep its successor in the secret store, and leave it out here or name it as"
                " secret://<name> where the field takes a secret",
            )


@file_rule("C02", "A value listed twice", *Kind)
def no_repeated_values(file: File) -> Iterator[Breach]:
    """A list of plain values names each value once.

    Why: a repetition is a slip of the hand, and often stands where another value was meant.

    Mend: remove the second one, or write the value that was meant.
    """
    for path, value in nodes(file.config):
        if not isinstance(value, tuple | list) or path[-1:] == ("range",):
            continue
        seen: dict[tuple[type, object], int] = {}
        for index, item in enumerate(value):
            if not isinstance(item, str | int | float | bool):
                continue
            first = seen.setdefault((type(item), item), index)
            if first != index:
                yield file.breach(
                    (*path, index),
                    f"{item!r} is listed twice",
                    "remove one of the two",
                    file.see((*path, first), "first listed here"),
                )
