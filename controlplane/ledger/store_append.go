package ledger

import (
	"slices"
	"strconv"

	"ostler/controlplane/db"
)

// The columns of ledger_appended are not named: to parse their names takes as
// long as to store the row, and so does each column that there is.
const (
	insertAppended         = "INSERT INTO ledger_appended VALUES (?, ?, ?)"
	insertAppendedPostgres = "INSERT INTO ledger_appended VALUES ($1, $2, $3)"

	intoPersonal = "INSERT INTO ledger_personal (entry_id, name, customer_id, sealed) VALUES "

	appendedColumns, personalColumns = 3, 4
	personalPerInsert                = 64
)

// insertEntry stores an entry and its personal values. Every change of
// everything runs this: it is written out and passes gorm by, and PostgreSQL
// gets one statement where it can, so that one answer is waited for.
func insertEntry(tx *db.Tx, r entryRow, personal []personalRow) error {
	query := insertAppended
	if tx.Dialect() == db.Postgres {
		query = insertAppendedPostgres
	}
	args := append(make([]any, 0, appendedColumns+personalColumns*len(personal)), r.ID, r.CustomerID, r.appended())
	if tx.Dialect() == db.Postgres && len(personal) > 0 && len(personal) <= personalPerInsert {
		b := append([]byte("WITH entry AS ("+query+") "), intoPersonal...)
		query = string(appendRows(b, tx.Dialect(), appendedColumns, len(personal), personalColumns))
		args = personalArgs(args, personal)
		personal = nil
	}
	if err := tx.AtEnd(query, args...); err != nil {
		return err
	}
	for part := range slices.Chunk(personal, personalPerInsert) {
		query := string(appendRows([]byte(intoPersonal), tx.Dialect(), 0, len(part), personalColumns))
		if err := tx.AtEnd(query, personalArgs(nil, part)...); err != nil {
			return err
		}
	}
	return nil
}

// appended is a row as ledger_appended keeps it: a JSON list, short because so
// many stand in a page of the database; the view ledger_pending names its
// parts. Data and commitments stand in it as text, so that both engines give
// back the bytes that they were given, whatever they hold.
func (r entryRow) appended() string {
	b := make([]byte, 0, 192+len(r.Data)+len(r.Commitments))
	b = strconv.AppendInt(append(b, '['), r.At, 10)
	for _, s := range [...]string{r.ServerID, r.Subject, r.Kind, r.ActorKind, r.ActorID, string(r.Data), string(r.Commitments)} {
		b = appendString(append(b, ','), s)
	}
	return string(append(b, ']'))
}

func personalArgs(args []any, rows []personalRow) []any {
	for _, r := range rows {
		args = append(args, r.EntryID, r.Name, r.CustomerID, r.Sealed)
	}
	return args
}

// appendRows appends the placeholders of rows: "(?, ?), (?, ?)", or on
// PostgreSQL "($1, $2), ($3, $4)", the first after the given number.
func appendRows(b []byte, dialect db.Dialect, after, rows, columns int) []byte {
	for i := range rows {
		for j := range columns {
			switch {
			case j > 0:
				b = append(b, ", "...)
			case i > 0:
				b = append(b, "), ("...)
			default:
				b = append(b, '(')
			}
			if dialect != db.Postgres {
				b = append(b, '?')
				continue
			}
			b = strconv.AppendInt(append(b, '$'), int64(after+i*columns+j+1), 10)
		}
	}
	return append(b, ')')
}
