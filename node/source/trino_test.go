package source

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fakeTrino replays Trino's documented client protocol (POST /v1/statement, then GET
// of nextUri until there is none) over an embedded DuckDB: no package installs Trino,
// so this says nothing of how Trino itself reads the SQL, beyond that DuckDB reads it.
type fakeTrino struct {
	t  *testing.T
	db *sql.DB

	mu      sync.Mutex
	answers map[string]*trinoAnswer
}

// trinoAnswer is what is left of a query's answer.
type trinoAnswer struct {
	columns []map[string]any
	rows    [][]any
}

func (f *fakeTrino) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.Header.Get("X-Trino-User") != userOfTrino {
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := strings.TrimPrefix(r.URL.Path, "/v1/statement/next/")
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method == http.MethodPost {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			f.t.Error(err)
		}
		id = fmt.Sprint(len(f.answers))
		answer, err := f.answer(string(text))
		if err != nil {
			name := "GENERIC_USER_ERROR"
			if strings.Contains(err.Error(), "does not exist") {
				name = "TABLE_NOT_FOUND"
			}
			f.write(w, map[string]any{"id": id, "stats": map[string]any{"state": "FAILED"}, "error": map[string]any{"message": "it is so", "errorName": name, "errorType": "USER_ERROR"}})
			return
		}
		f.answers[id] = answer
		f.write(w, map[string]any{"id": id, "nextUri": f.next(r, id), "stats": map[string]any{"state": "QUEUED"}})
		return
	}
	answer, ok := f.answers[id]
	if !ok { // such as /v1/info
		f.write(w, map[string]any{"starting": false})
		return
	}
	page := map[string]any{"id": id, "columns": answer.columns, "stats": map[string]any{"state": "FINISHED"}}
	const most = 100
	n := min(most, len(answer.rows))
	if n > 0 {
		page["data"] = answer.rows[:n]
	}
	if answer.rows = answer.rows[n:]; len(answer.rows) > 0 {
		page["nextUri"] = f.next(r, id)
	}
	f.write(w, page)
}

func (f *fakeTrino) next(r *http.Request, id string) string {
	return "http://" + r.Host + "/v1/statement/next/" + id
}

func (f *fakeTrino) write(w http.ResponseWriter, page map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(page); err != nil {
		f.t.Error(err)
	}
}

// answer runs a query. Types and values are written as Trino's JSON has them.
func (f *fakeTrino) answer(query string) (*trinoAnswer, error) {
	rows, err := f.db.QueryContext(context.Background(), strings.ReplaceAll(query, "is_nan(", "isnan("))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	a := &trinoAnswer{}
	for _, t := range types {
		name := strings.ToLower(t.DatabaseTypeName())
		if name == "hugeint" {
			name = "decimal(38,0)"
		}
		signature := map[string]any{"rawType": strings.SplitN(name, "(", 2)[0], "arguments": []any{}}
		var precision, scale int
		if n, _ := fmt.Sscanf(name, "decimal(%d,%d)", &precision, &scale); n == 2 {
			signature["arguments"] = []any{map[string]any{"kind": "LONG", "value": precision}, map[string]any{"kind": "LONG", "value": scale}}
		}
		a.columns = append(a.columns, map[string]any{"name": t.Name(), "type": name, "typeSignature": signature})
	}
	for rows.Next() {
		values, targets := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		for i, v := range values {
			if strings.HasPrefix(a.columns[i]["type"].(string), "decimal") && v != nil {
				values[i] = fmt.Sprint(v)
			}
		}
		a.rows = append(a.rows, values)
	}
	return a, rows.Err()
}

const userOfTrino = "hospital"

func TestTrinoByAFake(t *testing.T) {
	w := newWorld(t)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(t *testing.T, statements ...string) {
		t.Helper()
		for _, q := range statements {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	exec(t, "SET GLOBAL integer_division = true") // as Trino divides
	server := httptest.NewServer(&fakeTrino{t: t, db: db, answers: map[string]*trinoAnswer{}})
	defer server.Close()
	s := &served{
		setting: Setting{Source: "trino", Address: strings.TrimPrefix(server.URL, "http://"), User: userOfTrino, Database: "memory.main"},
		world:   "world", odd: "main.odd", exec: exec, types: columnTypes,
	}
	s.fillAll(t, trinoSQL, &w)
	s.answers(t, &w)
}
