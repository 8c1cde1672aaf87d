"""The masking of named columns: `columns: [email, ssn]` masks these fields of tables, whatever they hold.

Pure, and the same however the stream is cut. It looks for what names fields, and masks rows below it:

    masker     the whole: tables first, then keys in what is left
    tables     looks for what begins a table, and hands the stream to it while it is in force
    headers    which line is a header, and of which table;  layout: the same for drawn ones, from header and border
    table      what tables in force have in common;  ends: footers and prompts, which end them
    drawn      psql aligned, wrapped (border 0, 1, 2, Unicode), MariaDB, MySQL, sqlite3 (column, table, box, markdown)
    records    psql expanded (aligned, unaligned, CSV), `\\G` of MariaDB and MySQL
    either     two fields in a line, of which nothing tells yet whether they are a header or a record's first field
    delimited  CSV with `,` `;` or a quoted header;  loose: unaligned, batch, list, COPY, a single column
    keyed      JSON (lines, pretty, nested, within strings), MariaDB's XML
    value      a value on its way;  fit: its replacement in a drawn cell;  text, names: characters and names

Rules. Ordinary text without a header passes at once and unchanged; headers do too. Where it is not clear whether a
line is still a table's, or which field a byte belongs to, it is masked: a table without a footer runs on to a prompt
that is known (on a terminal), to lines that can not be its rows (an empty one, or eight, one after the other: fewer
may be a notice or short rows), or to `flush`, which is due at the end of a command's output. One named column among
the fields of a line makes it a header, whatever the others are called; `headers` tells what is taken for code or
prose. A line that is nothing but a named column's name is one. A value longer than 3.5 KiB, and one that is released
before its end, passes as stars.

Limits. What names no field is not masked here, the patterns must find it there: output without a header (`psql -t`,
`mariadb -N`), `SELECT email AS x`, headers of several lines or longer than 128 KiB, an aligned psql header whose name
holds a rule, sqlite3's line and quote modes, HTML, LaTeX and asciidoc, `INSERT` statements of a dump, cursor moves,
lines that a pager wraps or cuts. Of `SELECT email, city` in psql's unaligned format or CSV, where the first row
begins with a word, the header's second name is masked too, as it may be a record's value (`either`); in such a record
the named field must be first and its value hold no separator. A notice that holds a named column's name ends expanded
records. Headers of more than 4,096 fields: all fields are masked. Further ones stand at the heads of `loose`,
`delimited`, `records`, `keyed`, `ends`. A replacement wider than its column is cut, so a keyed hash in a narrow
column of a drawn table may join rows no more.
"""

from bastion.masking.columns.masker import ColumnMasker

__all__ = ["ColumnMasker"]
