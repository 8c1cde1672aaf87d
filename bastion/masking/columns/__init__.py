"""The masking of named columns: `columns: [email, ssn]` masks these fields of tables, whatever they hold.

Pure, and the same however the stream is cut. It looks for what names fields, and masks rows below it:

    masker     the whole: tables first, then keys in what is left
    tables     looks for what begins a table, and hands the stream to it while it is in force
    headers    which line is a header, and of which table;  layout: the same for drawn ones, from header and border
    table      what tables in force have in common;  ends: footers and prompts, which end them
    drawn      psql aligned, wrapped (border 0, 1, 2, Unicode), MariaDB, MySQL, sqlite3 (column, table, box, markdown)
    records    psql expanded (aligned, unaligned, CSV), `\\G` of MariaDB and MySQL
    delimited  CSV with `,` `;` or a quoted header;  loose: unaligned, batch, list, COPY, a single column
    keyed      JSON (lines, pretty, nested, within strings), MariaDB's XML
    value      a value on its way;  fit: its replacement in a drawn cell;  text, names: characters and names

Rules. Ordinary text without a header passes at once and unchanged; headers do too. Where it is not clear whether a line
is still a table's, or which field a byte belongs to, it is masked: a table without a footer runs on to a prompt that is
known (on a terminal), to a line that can not be one of its rows, or to `flush`, which is due at the end of a command's
output. A line that is nothing but a named column's name is a header. A value longer than 3.5 KiB, and one that is
released before its end, passes as stars.

Limits. What names no field is not masked here, the patterns must find it there: output without a header (`psql -t`,
`mariadb -N`), `SELECT email AS x`, headers of several lines or longer than 128 KiB, an aligned psql header whose name
holds a rule, sqlite3's line and quote modes, HTML, LaTeX and asciidoc, `INSERT` statements of a dump, cursor moves,
lines that a pager wraps or cuts. Further ones stand at the heads of `loose`, `delimited`, `records`, `keyed`, `ends`. A
replacement wider than its column is cut, so a keyed hash in a narrow column of a drawn table may join rows no more.
"""

from bastion.masking.columns.masker import ColumnMasker

__all__ = ["ColumnMasker"]
