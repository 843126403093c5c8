package verify

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/localserver"
	"consilium/job"
	"consilium/node/source"
)

// Sources are the places into which the sites' data can be put.
func Sources() []string {
	return append([]string{"csv"}, slices.Sorted(maps.Keys(places))...)
}

// place is where the sites' data are put: nowhere, or into tables of a server.
type place struct {
	name    string
	server  *localserver.Server
	servers []*localserver.Server // those to stop
	types   columnTypes
	setting source.Setting // for its SQL
	after   string         // behind a table's columns
}

// columnTypes are an engine's names of types.
type columnTypes struct{ whole, decimal, text string }

var plainTypes = columnTypes{"BIGINT", "DECIMAL(%d,%d)", "TEXT"}

var places = map[string]struct {
	start func(context.Context) ([]*localserver.Server, error)
	place place
}{
	"parquet":    {one(localserver.FlightSQL), place{types: plainTypes, setting: source.Setting{Source: "duckdb"}}},
	"flightsql":  {one(localserver.FlightSQL), place{types: plainTypes, setting: source.Setting{Source: "flightsql", Dialect: "duckdb"}}},
	"postgres":   {one(localserver.Postgres), place{types: plainTypes, setting: source.Setting{Source: "postgres"}}},
	"mysql":      {one(localserver.MariaDB), place{types: plainTypes, setting: source.Setting{Source: "mysql"}}},
	"clickhouse": {clickHouse, place{types: columnTypes{"Nullable(Int64)", "Nullable(Decimal(%d,%d))", "Nullable(String)"}, setting: source.Setting{Source: "clickhouse"}, after: " ENGINE = Memory"}},
}

func clickHouse(ctx context.Context) ([]*localserver.Server, error) {
	return localserver.ClickHouse(ctx, 1)
}

func one(start func(context.Context) (*localserver.Server, error)) func(context.Context) ([]*localserver.Server, error) {
	return func(ctx context.Context) ([]*localserver.Server, error) {
		s, err := start(ctx)
		return []*localserver.Server{s}, err
	}
}

// startPlace starts the server of a source, if it has one.
func startPlace(ctx context.Context, name string) (*place, error) {
	if name == "" || name == "csv" {
		return &place{}, nil
	}
	known, ok := places[name]
	if !ok {
		return nil, fmt.Errorf("source %q is not known: use one of %s", name, strings.Join(Sources(), ", "))
	}
	p := known.place
	servers, err := known.start(ctx)
	if err != nil {
		return nil, err
	}
	p.name, p.server, p.servers = name, servers[0], servers
	return &p, nil
}

func (p *place) stop() error {
	var errs []error
	for _, s := range p.servers {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}

// load makes a table of each file and returns what the nodes' configurations say of
// it, by dataset and node.
func (p *place) load(ctx context.Context, dir string, datasets []job.Dataset, f *Folder) (map[string]map[string]map[string]string, error) {
	if p.server == nil {
		return nil, nil
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(p.server.Password), 0o600); err != nil {
		return nil, err
	}
	sources := map[string]map[string]map[string]string{}
	for i := range datasets {
		d := &datasets[i]
		sources[d.Name] = map[string]map[string]string{}
		for k, path := range f.Files[d.Name] {
			table := fmt.Sprintf("%s_%d", d.Name, k)
			if err := p.fill(ctx, table, &d.Schema, path); err != nil {
				return nil, fmt.Errorf("%s into %s: %w", path, p.name, err)
			}
			setting, err := p.site(ctx, dir, table, secret)
			if err != nil {
				return nil, err
			}
			sources[d.Name][localnet.NodeName(k)] = setting
		}
	}
	return sources, nil
}

// site is what a node's configuration says of a table.
func (p *place) site(ctx context.Context, dir, table, secret string) (map[string]string, error) {
	if p.name == "parquet" {
		path := filepath.Join(dir, table+".parquet")
		_, err := p.server.Run(ctx, "COPY "+p.setting.QuoteName(table)+" TO "+p.setting.Quote(path)+" (FORMAT parquet)")
		return map[string]string{"path": path}, err
	}
	s := map[string]string{
		"source": p.name, "address": p.server.Address, "user": p.server.User, "password_file": secret,
		"database": p.server.Database, "table": table,
	}
	if p.setting.Dialect != "" {
		s["dialect"] = p.setting.Dialect
	}
	return s, nil
}

// insertRows is how many rows go into one statement.
const insertRows = 500

// fill makes a table of a CSV file's cells, typed by the schema.
func (p *place) fill(ctx context.Context, table string, schema *job.Schema, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	rows := csv.NewReader(file)
	header, err := rows.Read()
	if err != nil {
		return err
	}
	var definitions []string
	columns := make([]*job.Column, len(header))
	for i, name := range header {
		c, ok := schema.Column(strings.TrimPrefix(name, "\uFEFF"))
		if !ok {
			return fmt.Errorf("column %s is not in the schema", name)
		}
		columns[i] = c
		definitions = append(definitions, p.setting.QuoteName(c.Name)+" "+p.typeOf(c))
	}
	name := p.setting.QuoteName(table)
	if _, err := p.server.Run(ctx, "CREATE TABLE "+name+" ("+strings.Join(definitions, ", ")+")"+p.after+";"); err != nil {
		return err
	}
	for {
		var values []string
		for len(values) < insertRows {
			row, err := rows.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = p.value(columns[i], cell)
			}
			values = append(values, "("+strings.Join(cells, ", ")+")")
		}
		if len(values) == 0 {
			return nil
		}
		if _, err := p.server.Run(ctx, "INSERT INTO "+name+" VALUES "+strings.Join(values, ", ")+";"); err != nil {
			return err
		}
	}
}

// typeOf is the type of a column that holds all that its declaration allows.
func (p *place) typeOf(c *job.Column) string {
	switch c.Type {
	case job.Text:
		return p.types.text
	case job.Integer:
		return p.types.whole
	}
	places, _ := c.StepRat().FloatPrec()
	digits := 1
	for _, bound := range []string{c.Min, c.Max} {
		code, err := c.Code(bound)
		if err == nil {
			whole, _, _ := strings.Cut(strings.TrimPrefix(c.Format(code), "-"), ".")
			digits = max(digits, len(whole))
		}
	}
	return fmt.Sprintf(p.types.decimal, digits+places, places)
}

// value is a cell in SQL: numbers in plain digits, what is missing as null.
func (p *place) value(c *job.Column, cell string) string {
	if strings.TrimSpace(cell) == "" {
		return "NULL"
	}
	if c.Type == job.Text {
		return p.setting.Quote(cell)
	}
	code, err := c.Code(cell)
	if err != nil || slices.Contains(c.Missing, cell) {
		return "NULL"
	}
	return c.Format(code)
}
