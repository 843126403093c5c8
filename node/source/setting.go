package source

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Setting says where a site's part of a dataset lies: a file, or a table or query of
// a database. It holds no secret, only where one is to be found.
type Setting struct {
	Source string `yaml:"source"` // one of Kinds; "" for a file by its extension
	Path   string `yaml:"path"`   // of a file

	Address  string `yaml:"address"` // host:port of a server, or the directory of its socket (postgres)
	Database string `yaml:"database"`
	User     string `yaml:"user"`

	PasswordFile string `yaml:"password_file"` // readable by its owner alone
	PasswordEnv  string `yaml:"password_env"`  // name of an environment variable

	TLS    string `yaml:"tls"`     // on or off; on when left out, but for a server on this machine
	CAFile string `yaml:"ca_file"` // certificates that the server's must come from; the system's when left out

	Table     string            `yaml:"table"`      // NAME, SCHEMA.NAME or CATALOG.SCHEMA.NAME
	QueryFile string            `yaml:"query_file"` // file with a SELECT in place of a table
	Mapping   string            `yaml:"mapping"`    // file with a mapping of OMOP's tables in place of a table
	Schema    string            `yaml:"schema"`     // where the tables of the mapping are; the user's usual one when left out
	Tables    map[string]string `yaml:"tables"`     // of source duckdb: names in the query, and their files
	OrderBy   []string          `yaml:"order_by"`   // columns that put the rows into one order; any order when left out
	Dialect   string            `yaml:"dialect"`    // of source flightsql: what SQL the server speaks

	// Query is a SELECT in place of a table, for what makes one for each dialect (see
	// Setting.SQL) rather than reading it from a file.
	Query string `yaml:"-"`
}

// UnmarshalYAML takes a path for a setting that holds nothing else.
func (s *Setting) UnmarshalYAML(unmarshal func(any) error) error {
	var path string
	if unmarshal(&path) == nil {
		*s = Setting{Path: path}
		return nil
	}
	type plain Setting
	return unmarshal((*plain)(s))
}

// Kinds are the sources that a Setting may name.
func Kinds() []string { return append(slices.Sorted(maps.Keys(engines)), "duckdb", "file") }

// SQL names the dialect that Query must be written in.
func (s *Setting) SQL() string { return s.spoken().name }

// Quote writes a text as the setting's SQL does.
func (s *Setting) Quote(text string) string { return s.spoken().literal(text) }

// QuoteName writes a name as the setting's SQL does.
func (s *Setting) QuoteName(name string) string { return s.spoken().quote(name) }

// spoken is the setting's dialect; the embedded engine's if it names none that is known.
func (s *Setting) spoken() *dialect {
	d, err := s.dialect()
	if err != nil {
		return duckDB
	}
	return d
}

func (s *Setting) dialect() (*dialect, error) {
	e, ok := engines[s.Source]
	if !ok {
		return duckDB, nil
	}
	if s.Dialect == "" {
		return e.dialect, nil
	}
	d, ok := dialects[s.Dialect]
	if !ok {
		return nil, fmt.Errorf("dialect %q is not known; use one of %s", s.Dialect, strings.Join(slices.Sorted(maps.Keys(dialects)), ", "))
	}
	return d, nil
}

// Remote tells whether the setting is of a database server.
func (s *Setting) Remote() bool { _, ok := engines[s.Source]; return ok }

// IsFile tells whether the setting is a path and nothing else.
func (s *Setting) IsFile() bool { return !s.Remote() && s.Source != "duckdb" }

// Resolve makes the setting's paths absolute, from a directory.
func (s *Setting) Resolve(within func(path string) string) {
	for _, path := range []*string{&s.Path, &s.PasswordFile, &s.CAFile, &s.QueryFile, &s.Mapping} {
		if *path != "" {
			*path = within(*path)
		}
	}
	for name, path := range s.Tables {
		s.Tables[name] = within(path)
	}
}

// Check refuses what can be seen to be wrong without opening anything.
func (s *Setting) Check() error {
	switch {
	case s.Remote():
		return s.checkRemote()
	case s.Source == "duckdb":
		return s.checkTables()
	case s.Source != "" && s.Source != "file":
		return fmt.Errorf("source %q is not known; use one of %s", s.Source, strings.Join(Kinds(), ", "))
	case s.Path == "":
		return errors.New("no file is given; write its path, or path: PATH")
	}
	if only := (Setting{Source: s.Source, Path: s.Path}); !reflect.DeepEqual(*s, only) {
		return errors.New("a file has a path and nothing else; name the source of the other keys, such as source: postgres")
	}
	return nil
}

func (s *Setting) checkRemote() error {
	if s.Path != "" || s.Tables != nil {
		return fmt.Errorf("source %s has no path or tables; give address, and table or query_file", s.Source)
	}
	if s.Dialect != "" && s.Source != "flightsql" {
		return fmt.Errorf("source %s speaks its own dialect; leave dialect out", s.Source)
	}
	if _, err := s.dialect(); err != nil {
		return err
	}
	if !strings.HasPrefix(s.Address, "/") {
		host, port, err := net.SplitHostPort(s.Address)
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("address %q is not host:port", s.Address)
		}
	} else if s.Source != "postgres" {
		return fmt.Errorf("address %q is not host:port; only postgres is reached by a socket", s.Address)
	}
	if s.TLS != "" && s.TLS != "on" && s.TLS != "off" {
		return fmt.Errorf("tls is %q; write on or off", s.TLS)
	}
	if s.PasswordFile != "" && s.PasswordEnv != "" {
		return errors.New("give password_file or password_env, not both")
	}
	return s.checkRelation()
}

func (s *Setting) checkRelation() error {
	given := 0
	for _, text := range []string{s.Table, s.QueryFile, s.Query, s.Mapping} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return errors.New("give a table, a query_file or a mapping, one of them")
	}
	if s.Schema != "" && s.Mapping == "" {
		return errors.New("schema is where a mapping's tables are; write it into table, as SCHEMA.NAME")
	}
	if s.Mapping != "" && s.OrderBy != nil {
		return errors.New("a mapping has an order of its own; leave order_by out")
	}
	if parts := strings.Split(s.Table, "."); s.Table != "" && (len(parts) > 3 || slices.Contains(parts, "")) {
		return fmt.Errorf("table %q is not NAME, SCHEMA.NAME or CATALOG.SCHEMA.NAME", s.Table)
	}
	return nil
}

func (s *Setting) checkTables() error {
	if s.Address+s.Path+s.User+s.Database+s.Table+s.Mapping+s.Schema != "" || len(s.Tables) == 0 {
		return errors.New("source duckdb has tables (NAME: PATH of Parquet or JSON-lines files) and a query_file over them")
	}
	for name, path := range s.Tables {
		if name == "" || path == "" {
			return fmt.Errorf("tables: %q has no file; give NAME: PATH", name)
		}
	}
	return s.checkRelation()
}

// encrypted tells whether the server is reached over TLS.
func (s *Setting) encrypted() bool {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return false // a socket
	}
	ip := net.ParseIP(host)
	return s.TLS == "on" || s.TLS == "" && host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// Place says where the setting points, for an operator's eyes: a path, or a table at an
// address.
func (s *Setting) Place() string {
	if s.Remote() {
		return fmt.Sprintf("%s of %s at %s", s.name(), s.Source, s.Address)
	}
	if s.Path != "" {
		return s.Path
	}
	return s.name()
}

// name is what errors call the source.
func (s *Setting) name() string {
	switch {
	case s.Table != "":
		return "table " + s.Table
	case s.QueryFile != "":
		return "query " + filepath.Base(s.QueryFile)
	case s.Mapping != "":
		return filepath.Base(s.Mapping)
	case s.Query != "":
		return "the dataset's query"
	}
	return filepath.Base(s.Path)
}

// maxQuery caps the file of a query, in bytes, and maxPassword that of a password.
const (
	maxQuery    = 1 << 20
	maxPassword = 4 << 10
)

// relation is what stands behind FROM.
func (s *Setting) relation(d *dialect) (string, error) {
	if s.Table != "" {
		parts := strings.Split(s.Table, ".")
		for i, p := range parts {
			parts[i] = d.quote(p)
		}
		return strings.Join(parts, "."), nil
	}
	query := s.Query
	if s.QueryFile != "" {
		text, err := readSmall("query_file", s.QueryFile, maxQuery)
		if err != nil {
			return "", err
		}
		query = text
	}
	query = strings.TrimRight(strings.TrimSpace(query), ";")
	if query == "" || strings.Contains(query, ";") {
		return "", fmt.Errorf("%s: must hold one SELECT, without a semicolon in it", s.name())
	}
	return "(" + query + "\n) given", nil
}

// password returns the secret, "" where none is named.
func (s *Setting) password() (string, error) {
	switch {
	case s.PasswordEnv != "":
		secret, ok := os.LookupEnv(s.PasswordEnv)
		if !ok {
			return "", fmt.Errorf("password_env: the environment has no variable %s", s.PasswordEnv)
		}
		return secret, nil
	case s.PasswordFile == "":
		return "", nil
	}
	info, err := os.Stat(s.PasswordFile)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("password_file: %s may be read by others; chmod 600 it", s.PasswordFile)
	}
	secret, err := readSmall("password_file", s.PasswordFile, maxPassword)
	return strings.TrimRight(secret, "\r\n"), err
}

func readSmall(key, path string, most int64) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: %s: there is no such file", key, path)
	case err != nil:
		return "", fmt.Errorf("%s: %s: cannot be looked at: %w", key, path, errors.Unwrap(err))
	case !info.Mode().IsRegular() || info.Size() > most:
		return "", fmt.Errorf("%s: %s: is not a file of at most %d bytes", key, path, most)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %s: cannot be read: %w", key, path, errors.Unwrap(err))
	}
	return string(b), nil
}
