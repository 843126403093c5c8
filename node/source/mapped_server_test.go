package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consilium/cmd/consilium/localserver"
	"consilium/node/source"
)

// TestMappingOfServer maps OMOP's tables in PostgreSQL, of the types of its data
// definition language, and compares with the table computed patient by patient.
func TestMappingOfServer(t *testing.T) {
	server, err := localserver.Postgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	exec := func(sql string) {
		t.Helper()
		if _, err := server.Run(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	list := makePatients(21, 400, true)
	exec("CREATE SCHEMA cdm")
	for name, rows := range omopTables(list) {
		exec(insertion("cdm."+strings.ToLower(name), rows))
	}
	dir := t.TempDir()
	oracle, path, password := filepath.Join(dir, "oracle.csv"), filepath.Join(dir, "omop.yaml"), filepath.Join(dir, "password")
	rows := writeOracle(t, oracle, list)
	write(t, path, strings.Replace(mappingText("omop", ""), "folder: .\n", "", 1))
	if err := os.WriteFile(password, []byte(server.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	setting := source.Setting{
		Source: "postgres", Address: server.Address, Database: server.Database, User: server.User, PasswordFile: password,
		Mapping: path, Schema: "cdm",
	}
	if err := setting.Check(); err != nil {
		t.Fatal(err)
	}
	compareRows(t, "postgres", codesOfSetting(t, setting, mappedSchema, rows+2), codesOf(t, oracle, mappedSchema, rows+2))

	// What is wrong is named by table and column.
	exec("INSERT INTO cdm.measurement VALUES (100, 3016723, '2015-01-01', 4711, 4713, NULL)")
	wantCheckError(t, setting, "table measurement: column unit_concept_id: a unit that column")
	exec("DELETE FROM cdm.measurement WHERE unit_concept_id = 4713; INSERT INTO cdm.condition_occurrence VALUES (1, 100, 316139, '2999-12-31')")
	wantCheckError(t, setting, "table condition_occurrence: column condition_start_date: in the future")
	exec("ALTER TABLE cdm.death RENAME COLUMN death_date TO day")
	wantCheckError(t, setting, "table death: has no column death_date")
	exec("DROP TABLE cdm.death")
	wantCheckError(t, setting, "table death", "no such table")
}

func wantCheckError(t *testing.T, setting source.Setting, words ...string) {
	t.Helper()
	s, err := source.OpenSetting(t.Context(), setting, mappedSchema, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Check(t.Context())
	if err == nil || strings.Contains(err.Error(), "471") {
		t.Fatalf("the error is %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
}

// insertion creates a table of rows whose first holds the columns' names.
func insertion(table string, rows [][]string) string {
	var columns, values []string
	for _, name := range rows[0] {
		kind := "INTEGER"
		switch {
		case strings.HasSuffix(strings.ToLower(name), "_date"):
			kind = "DATE"
		case name == "value_as_number":
			kind = "NUMERIC"
		}
		columns = append(columns, name+" "+kind)
	}
	for _, row := range rows[1:] {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = "'" + cell + "'"; cell == "" {
				cells[i] = "NULL"
			}
		}
		if text := strings.Join(cells, ", "); !strings.Contains(text, "no date") {
			values = append(values, "("+text+")")
		}
	}
	return "CREATE TABLE " + table + " (" + strings.Join(columns, ", ") + "); INSERT INTO " + table + " VALUES " + strings.Join(values, ", ")
}
