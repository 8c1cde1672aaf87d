"""Does a WHERE leave any row out? Asked of UPDATE and DELETE, whose WHERE may be there for show.

Only forms that are known to choose rows count: a column compared with a value, with a list of them, with a range, a
pattern or NULL, or with a column of another table. Everything else (constants, a column compared with itself, an
unknown function of a column, `IS NOT NULL`, an OR with an open end) is taken for a WHERE that chooses nothing.

Limits: the data is not known here. `id > 0` and `name <> ''` are comparisons, and may well be true of every row.
"""

from __future__ import annotations

from sqlglot import exp

_EQUAL = (exp.EQ, exp.NullSafeEQ)
_ORDER = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NEQ)
_PATTERN = (exp.Like, exp.ILike, exp.Glob)
_TEMPORAL = (exp.Date, exp.TsOrDsToDate, exp.DateTrunc, exp.TimestampTrunc)
# What may stand round a column without making it equal to something in every row.
_ROUND_A_COLUMN = (exp.Paren, exp.Lower, exp.Upper, exp.Trim, exp.Cast, exp.TryCast, *_TEMPORAL)


def chooses(statement: exp.Expr) -> bool:
    """Does the UPDATE's or DELETE's WHERE leave rows out, as far as its form tells?"""
    where = statement.args.get("where")
    if not isinstance(where, exp.Where):
        return False
    return _chooses(where.this, _tables(statement))


def _tables(of: exp.Expr) -> dict[str, str]:
    """Alias or name of each table that `of` itself works on (not its subqueries), and which table it is; lower case."""
    tables: dict[str, str] = {}
    for table in of.find_all(exp.Table):
        above = table.find_ancestor(exp.Query, exp.Update, exp.Delete)
        if above is of:
            tables[table.alias_or_name.lower()] = table.name.lower()
    return tables


def _chooses(node: exp.Expr | None, tables: dict[str, str], *, tight: bool = False) -> bool:
    """`tight`: only forms count that are the contrary of no other such form, for under an OR."""
    if node is None or node.args.get("negate"):
        return False  # IS NOT NULL
    if isinstance(node, exp.Paren):
        return _chooses(node.this, tables, tight=tight)
    if isinstance(node, exp.And):
        return _chooses(node.left, tables, tight=tight) or _chooses(node.right, tables, tight=tight)
    if isinstance(node, exp.Or):
        return _chooses(node.left, tables, tight=True) and _chooses(node.right, tables, tight=True)
    if isinstance(node, exp.Not):
        return not tight and _chooses_when_not(node.this)
    if isinstance(node, exp.Between):
        return _is_column(node.this) and _is_value(node.args.get("low")) and _is_value(node.args.get("high"))
    if isinstance(node, exp.Is):
        return _is_column(node.this) and isinstance(node.expression, exp.Null | exp.Boolean)
    if isinstance(node, exp.In):
        return _in_chooses(node, tables)
    if isinstance(node, exp.Exists):
        return _exists_chooses(node, tables)
    if isinstance(node, _PATTERN):
        return _is_column(node.this) and _is_pattern(node.expression)
    if isinstance(node, _EQUAL):
        return _compares(node.this, node.expression, tables)
    return isinstance(node, _ORDER) and not tight and _orders(node.this, node.expression, tables)


def _chooses_when_not(node: exp.Expr | None) -> bool:
    """NOT of a single known form. `NOT (x IS NULL)` is what every row of most columns is, so it is none."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.In):
        return not node.args.get("query") and _is_plain_column(node.this) and _are_values(node.expressions)
    if isinstance(node, _PATTERN):
        return _is_plain_column(node.this) and _is_pattern(node.expression)
    if isinstance(node, exp.Column):
        return True
    return isinstance(node, _EQUAL) and _orders(node.this, node.expression, {})


def _in_chooses(node: exp.In, tables: dict[str, str]) -> bool:
    if not _is_column(node.this):
        return False
    query = node.args.get("query")
    if query is None:
        return _are_values(node.expressions)
    inner = query.unnest() if isinstance(query, exp.Subquery) else query
    if not isinstance(inner, exp.Select):
        return False
    named = {cte.alias.lower() for cte in inner.root().find_all(exp.CTE)}
    read = {table.name.lower() for table in inner.find_all(exp.Table)}
    if read and not read & (named | set(tables.values())):
        return True
    where = inner.args.get("where")
    return isinstance(where, exp.Where) and _chooses(where.this, _tables(inner))


def _exists_chooses(node: exp.Exists, tables: dict[str, str]) -> bool:
    """EXISTS chooses when its query joins a table of its own to the statement's, by a comparison."""
    inner = node.this.unnest() if isinstance(node.this, exp.Subquery) else node.this
    where = inner.args.get("where") if isinstance(inner, exp.Select) else None
    if not isinstance(where, exp.Where):
        return False
    own = _tables(inner)
    both = {**tables, **own}
    for equal in where.find_all(exp.EQ):
        left, right = equal.this, equal.expression
        if not (isinstance(left, exp.Column) and isinstance(right, exp.Column)):
            continue
        sides = {left.table.lower() in own, right.table.lower() in own}
        if sides == {True, False} and _compares(left, right, both) and _chooses(where.this, both):
            return True
    return False


def _compares(left: exp.Expr | None, right: exp.Expr | None, tables: dict[str, str]) -> bool:
    if _is_column(left) and _is_column(right):
        return _are_different(_column(left), _column(right), tables)
    column, value = (left, right) if _is_column(left) else (right, left)
    if not _is_column(column) or not _is_value(value):
        return False
    # MySQL set to ANSI_QUOTES, and SQLite, may take "id" for the column.
    return not (isinstance(value, exp.Literal) and value.name.lower() == _column(column).name.lower())


def _orders(left: exp.Expr | None, right: exp.Expr | None, tables: dict[str, str]) -> bool:
    """A comparison other than for equality. Where types differ, such a one may be true of every row (`lower(x) <> 0`),
    so only a bare column counts, and a moment that is compared with anything but a number."""
    if not _compares(left, right, tables):
        return False
    return all(_is_plain_column(side) or _is_moment(side) for side in (left, right) if _is_column(side)) and (
        (_is_plain_column(left) or _is_plain_column(right))
        or not any(isinstance(side, exp.Literal) and not side.is_string for side in (left, right))
    )


def _are_different(left: exp.Column, right: exp.Column, tables: dict[str, str]) -> bool:
    if left.name.lower() != right.name.lower():
        return True
    of_left, of_right = (tables.get(side.table.lower()) for side in (left, right))
    return of_left is not None and of_right is not None and of_left != of_right


def _is_column(node: exp.Expr | None) -> bool:
    while isinstance(node, _ROUND_A_COLUMN):
        node = node.this
    return isinstance(node, exp.Column) and not isinstance(node.this, exp.Star)


def _is_plain_column(node: exp.Expr | None) -> bool:
    while isinstance(node, exp.Paren):
        node = node.this
    return isinstance(node, exp.Column) and not isinstance(node.this, exp.Star)


def _is_moment(node: exp.Expr | None) -> bool:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Cast):
        return isinstance(node.to, exp.DataType) and node.to.this in exp.DataType.TEMPORAL_TYPES
    return isinstance(node, _TEMPORAL)


def _column(node: exp.Expr | None) -> exp.Column:
    column = None if node is None else node.find(exp.Column)
    if column is None:
        raise AssertionError("asked of what _is_column said yes to")
    return column


def _is_value(node: exp.Expr | None) -> bool:
    """No column in it, and no query: the same for every row."""
    return node is not None and node.find(exp.Column, exp.Query, exp.Star) is None


def _are_values(nodes: list[exp.Expr]) -> bool:
    return bool(nodes) and all(_is_value(node) for node in nodes)


def _is_pattern(node: exp.Expr | None) -> bool:
    """A literal with something in it that must be there."""
    if isinstance(node, exp.Escape):
        node = node.this
    return isinstance(node, exp.Literal) and bool(node.name.strip("%_*?"))
