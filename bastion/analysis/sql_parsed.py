"""What sqlglot's tree of one statement holds: every node is looked at, whatever it stands in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from bastion.analysis.sql_clients import Client
from bastion.analysis.sql_parser import NotParsed, parse
from bastion.analysis.sql_tokens import Token, plain
from bastion.analysis.sql_where import chooses

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
_ROOTS: dict[str, tuple[type[exp.Expression], ...]] = {
    "INSERT": (exp.Insert,),
    "UPDATE": (exp.Update,),
    "DELETE": (exp.Delete,),
    "MERGE": (exp.Merge,),
    "WITH": (*_QUERIES, exp.Insert, exp.Update, exp.Delete, exp.Merge),
}
# A statement of these kinds inside another is nothing that is known here.
_NEVER = (
    exp.Command,
    exp.Create,
    exp.Drop,
    exp.Alter,
    exp.TruncateTable,
    exp.Copy,
    exp.LoadData,
    exp.Grant,
    exp.Set,
    exp.Use,
    exp.Pragma,
    exp.Attach,
    exp.Detach,
    exp.Kill,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
    exp.Describe,
    exp.Block,
    exp.Analyze,
    exp.Execute,
)
_NOT_PARSED = "not understood as {} SQL"


def parsed_kinds(statement: Sequence[Token], client: Client) -> tuple[set[str], str | None]:
    """The kinds found in the tree, and why it is undecidable, if it is."""
    quote = "`" if client.grammar == "mysql" else '"'
    try:
        tree = parse(plain(statement, quote), client.grammar)
    except NotParsed:
        return set(), _NOT_PARSED.format(client.name)
    first = statement[0].text if statement[0].kind == "word" else ""
    if not isinstance(tree, _ROOTS.get(first, _QUERIES)):
        return set(), _NOT_PARSED.format(client.name)
    kinds: set[str] = set()
    for node in tree.walk():
        if isinstance(node, _NEVER):
            return kinds, _NOT_PARSED.format(client.name)
        _add(node, kinds, client)
    if isinstance(tree, _QUERIES) and not kinds & {"insert", "update", "update-all", "delete", "delete-all", "create"}:
        kinds.add("select")
    return kinds, None


def _add(node: exp.Expr, kinds: set[str], client: Client) -> None:
    if isinstance(node, exp.Insert):
        kinds.add("insert")
        if node.args.get("conflict") or node.args.get("alternative") or node.args.get("overwrite"):
            kinds.add("update")
        if node.args.get("directory"):
            kinds.add("copy-file")
    elif isinstance(node, exp.Merge):
        kinds |= _merge_kinds(node)
    elif isinstance(node, exp.Update) and not isinstance(node.parent, exp.When):
        kinds.add("update" if chooses(node) else "update-all")
    elif isinstance(node, exp.Delete):
        kinds.add("delete" if chooses(node) else "delete-all")
    elif isinstance(node, exp.Into):
        kinds.add("set" if client.grammar == "mysql" else "create")
    elif isinstance(node, exp.Lock):
        kinds.add("lock")
    elif isinstance(node, exp.PropertyEQ) and client.grammar == "mysql":
        kinds.add("set")


def _merge_kinds(node: exp.Merge) -> set[str]:
    """What a MERGE may do. Its join may match every row."""
    kinds = {"insert", "update-all"}
    text_words = {str(when.args.get("then")).upper().split(" ")[0] for when in node.find_all(exp.When)}
    if text_words & {"DELETE"} or any(isinstance(when.args.get("then"), exp.Var) for when in node.find_all(exp.When)):
        kinds.add("delete-all")
    return kinds
