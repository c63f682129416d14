package ledger

import (
	"context"
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
	if err := execute(tx, query, args); err != nil {
		return err
	}
	for part := range slices.Chunk(personal, personalPerInsert) {
		query := string(appendRows([]byte(intoPersonal), tx.Dialect(), 0, len(part), personalColumns))
		if err := execute(tx, query, personalArgs(nil, part)); err != nil {
			return err
		}
	}
	return nil
}

// appended is a row as ledger_appended keeps it: JSON whose keys the view
// ledger_pending names. Data and commitments stand in it as text, so that both
// engines give back the bytes that they were given, whatever they hold.
func (r entryRow) appended() string {
	b := make([]byte, 0, 256+len(r.Data)+len(r.Commitments))
	b = appendString(append(b, `{"actor_id":`...), r.ActorID)
	b = appendString(append(b, `,"actor_kind":`...), r.ActorKind)
	b = strconv.AppendInt(append(b, `,"at":`...), r.At, 10)
	b = appendString(append(b, `,"commitments":`...), string(r.Commitments))
	b = appendString(append(b, `,"data":`...), string(r.Data))
	b = appendString(append(b, `,"kind":`...), r.Kind)
	b = appendString(append(b, `,"server_id":`...), r.ServerID)
	b = appendString(append(b, `,"subject":`...), r.Subject)
	return string(append(b, '}'))
}

func execute(tx *db.Tx, query string, args []any) error {
	ctx := tx.Context()
	if tx.Dialect() == db.SQLite {
		ctx = context.WithoutCancel(ctx) // a row is too short to interrupt, and the driver would start a watcher for it
	}
	_, err := tx.Statement.ConnPool.ExecContext(ctx, query, args...)
	return err
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
