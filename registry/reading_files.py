"""Reading YAML without losing where everything stands.

PyYAML's C parser composes a tree of nodes that know their line and column; `Document` keeps that tree
beside the plain data, so that whoever validates the data can point at the spot.

The scalars are those of YAML 1.2's core schema, not 1.1's: ``on``, ``no`` and ``22:00`` are words (1.1
would make them True, False and 1320), and a date stays text. Tags that build objects are refused.
"""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from language import N_, Message
from registry.problems import InvalidConfiguration, Part, Problem, shown
from registry.yaml_limits import TooCostly, check_limits

_LARGEST: Final = 32 * 1024 * 1024
_LONGEST_NUMBER: Final = 40
"""Characters of a whole number: what no 64 bits hold is a slip, and thousands of digits cannot be shown."""


class _CoreLoader(yaml.CSafeLoader):
    """The C parser with the scalar rules of YAML 1.2's core schema."""


_FORMS: Final = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)$"), list("-+0123456789")),
    (
        "float",
        re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
        list("-+0123456789."),
    ),
)  # fmt: skip
_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _form, _first in _FORMS:
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _form, _first)


class Document:
    """One YAML file: its plain data, and where each value stands.

    `data` is made of dict, list, str, int, float, bool and None. `problems` holds what is wrong with the
    text although it could be read (a key given twice, a tag that is not allowed).
    """

    def __init__(self, file: Path, root: yaml.Node | None) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._root = root
        self._keys: dict[int, dict[Part, tuple[yaml.Node, yaml.Node]]] = {}
        self._open: set[int] = set()
        self.data: Any = None if root is None else self._plain(root, ())

    def contains(self, path: tuple[Part, ...]) -> bool:
        """Whether there is anything at `path`."""
        node = self._root
        for part in path:
            found = self._child(node, part)
            if found is None:
                return False
            node = found[1]
        return True

    def position(self, path: tuple[Part, ...]) -> tuple[int, int]:
        """Line and column (from 1) of the value at `path`.

        Steps that do not exist are skipped, so that a missing key is placed at the mapping it misses
        from, and pydantic's names of union branches do no harm.
        """
        node = self._root
        for part in path:
            found = self._child(node, part)
            node = found[1] if found else node
        return _spot(node)

    def key_position(self, path: tuple[Part, ...]) -> tuple[int, int]:
        """Line and column (from 1) of the key that the last step of `path` names."""
        node, key = self._root, self._root
        for part in path:
            found = self._child(node, part)
            if found is not None:
                key, node = found
        return _spot(key)

    def _child(self, node: yaml.Node | None, part: Part) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode):
            if isinstance(part, int) and 0 <= part < len(node.value):
                return node.value[part], node.value[part]
            return None
        return self._keys.get(id(node), {}).get(part)

    def _plain(self, node: yaml.Node, path: tuple[Part, ...]) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            self._report(node, Message(N_("an alias may not contain itself")))
            return None
        self._open.add(id(node))
        try:
            if not node.tag.startswith("tag:yaml.org,2002:"):
                self._report(node, Message(N_("the tag {tag} is not allowed here"), {"tag": node.tag}))
            if isinstance(node, yaml.SequenceNode):
                return [self._plain(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: tuple[Part, ...]) -> dict[Part, Any]:
        data: dict[Part, Any] = {}
        keys = self._keys.setdefault(id(node), {})
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str | int) or isinstance(key, bool):
                key = key_node.value if isinstance(key_node.value, str) else ""
                if not key:
                    self._report(key_node, Message(N_("a key must be a word or a number")))
                    continue
            if key in data:
                first = _spot(keys[key][0])[0]
                message = Message(
                    N_("the key `{key}` is given twice (first on line {first})"), {"key": key, "first": first}
                )
                self._report(key_node, message, value=str(key))
                continue
            data[key] = self._plain(value_node, (*path, key))
            keys[key] = (key_node, value_node)
        return data

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        text = node.value
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag == "int" and len(text) > _LONGEST_NUMBER:
            self._report(node, Message(N_("the number has too many digits")))
            return str(text)
        try:
            match tag:
                case "str":
                    return str(text)
                case "null":
                    return None
                case "bool":
                    return bool(text.lower() == "true")
                case "int":
                    return int(text, 0 if text[:2] in ("0x", "0o") else 10)
                case "float":
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:  # an explicit tag on a text of another form: `!!int twelve`
            pass
        self._report(node, Message(N_("the tag {tag} is not allowed here"), {"tag": node.tag}))
        return str(text)

    def _report(self, node: yaml.Node, message: Message, *, value: str = "") -> None:
        line, column = _spot(node)
        text = value or (node.value if isinstance(node, yaml.ScalarNode) else "")
        self.problems.append(Problem(self.file, line, column, "", shown(text), message))


def read_yaml(path: Path) -> Document:
    """The document in `path`; an empty file has the data None.

    Raises `InvalidConfiguration` with one problem when the file is missing, too large (32 MiB), not
    UTF-8 or not YAML. Smaller faults are in `Document.problems`.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, file: Path) -> Document:
    """The document in `text`, which stands in (or is to be saved as) `file`.

    Raises `InvalidConfiguration`.
    """
    try:
        check_limits(_CoreLoader(text))
        loader = _CoreLoader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
        return Document(file, root)
    except TooCostly as error:
        problem = Problem(file, error.line, error.column, "", "", error.message)
        raise InvalidConfiguration([problem]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = Message(
            N_("this is not YAML: {reason}"), {"reason": error.problem or error.context or "unreadable"}
        )
        raise InvalidConfiguration([Problem(file, line, column, "", "", message, _hint(error))]) from error
    except yaml.YAMLError as error:
        raise InvalidConfiguration([_unreadable(file, " ".join(str(error).split()))]) from error


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have (too long, a NUL in it) has none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_text(path: Path, encodings: tuple[str, ...] = ("utf-8-sig",)) -> str:
    """The text of `path` in the first of `encodings` that fits; raises `InvalidConfiguration`."""
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidConfiguration([_unusable(path, Message(N_("the file is larger than 32 MiB")))])
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidConfiguration([_unreadable(path, error.strerror or str(error))]) from error
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
    message = Message(
        N_("the text is not in {encoding}; save the file as UTF-8"), {"encoding": " / ".join(encodings)}
    )
    raise InvalidConfiguration([Problem(path, line, None, "", "", message)])


def _unreadable(file: Path, reason: str) -> Problem:
    return _unusable(file, Message(N_("cannot be read: {reason}"), {"reason": reason}))


def _unusable(file: Path, message: Message) -> Problem:
    return Problem(file, 1, None, "", "", message)


def _hint(error: yaml.MarkedYAMLError) -> Message | None:
    reason = error.problem or ""
    if "tab character" in reason:
        return Message(N_("indent with spaces"))
    if "cannot start any token" in reason:
        return Message(N_("put text that begins with a special character into quotes"))
    if "mapping values are not allowed" in reason:
        return Message(N_("put text that holds a colon into quotes"))
    return None


def _spot(node: yaml.Node | None) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)
