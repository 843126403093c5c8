package source

import (
	"fmt"
	"strings"
)

// dialects are those that a setting may name for a server of source flightsql.
var dialects = map[string]*dialect{
	"ansi": ansiSQL, "duckdb": duckDB, "postgres": postgresSQL, "mysql": mySQLSQL, "clickhouse": clickHouseSQL, "trino": trinoSQL,
}

// duckDB is the embedded engine's.
var duckDB = &dialect{
	name:     "duckdb",
	numbers:  true,
	quote:    doubled,
	literal:  literal,
	whole:    castAs("BIGINT"),
	attempt:  func(x string) string { return "TRY_CAST(round(" + x + ") AS BIGINT)" },
	exact:    func(x string, scale int) string { return fmt.Sprintf("CAST(%s AS DECIMAL(38, %d))", x, scale) },
	narrow:   18,
	wide:     castAs("HUGEINT"),
	sumsWide: true,
	show:     castAs("VARCHAR"),
	quotient: func(a, b string) string { return a + " // " + b },
	power:    func(n int) string { return fmt.Sprintf("1e%d", n) },
	single:   func(x string) string { return "CAST(CAST(" + x + " AS VARCHAR) AS DOUBLE)" },
	isNaN:    call("isnan"),
	blank:    func(x string) string { return "trim(" + x + ", " + literal(spaces) + ") = ''" },
	showsAll: true,
	digits:   38,
}

var postgresSQL = &dialect{
	name:     "postgres",
	numbers:  true,
	quote:    doubled,
	literal:  literal,
	whole:    castAs("BIGINT"),
	attempt:  func(x string) string { return within15(x, "CAST(round("+x+") AS BIGINT)") },
	power:    func(n int) string { return fmt.Sprintf("CAST(1e%d AS DOUBLE PRECISION)", n) },
	wide:     castAs("NUMERIC"),
	sumsWide: true,
	show:     castAs("TEXT"),
	quotient: func(a, b string) string { return "(" + a + ") / " + b },
	single:   func(x string) string { return "CAST(CAST(" + x + " AS TEXT) AS DOUBLE PRECISION)" },
	isNaN:    func(x string) string { return "CAST(" + x + " AS DOUBLE PRECISION) = 'NaN'" },
	// Neither COLLATE nor = under any collation: postgres_fdw hands no COLLATE on, and a
	// column may have a collation by which different texts are equal.
	bytes: castAs("TEXT"),
	alike: func(x, text string) string { return "(" + x + " ~>=~ " + text + " AND " + x + " ~<=~ " + text + ")" },
	blank: func(x string) string { return "octet_length(btrim(" + x + ", " + literal(spaces) + ")) = 0" },
}

// mySQLSQL keeps to what engines with MySQL's wire protocol have in common: decimals
// of 38 digits, backslashes that escape.
var mySQLSQL = &dialect{
	name:     "mysql",
	numbers:  true,
	quote:    func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" },
	literal:  escaped,
	whole:    castAs("SIGNED"),
	attempt:  func(x string) string { return within15(x, "CAST(round("+x+") AS SIGNED)") },
	power:    func(n int) string { return fmt.Sprintf("1e%d", n) },
	wide:     castAs("DECIMAL(38,0)"),
	show:     castAs("CHAR"),
	quotient: func(a, b string) string { return "(" + a + ") DIV " + b },
	bytes:    func(x string) string { return "CAST(CONVERT(" + x + " USING utf8mb4) AS BINARY)" },
	blank:    emptied("REPLACE", escaped),
	digits:   65,
}

// clickHouseSQL needs no number wider than 64 bits: versions before 21 have none whose
// sums are exact. OR and IN are there not what the standard says of null.
var clickHouseSQL = &dialect{
	name:     "clickhouse",
	quote:    backslashed("`"),
	literal:  backslashed("'"),
	whole:    call("toInt64"),
	attempt:  func(x string) string { return within15(x, "toInt64(round("+x+"))") },
	power:    func(n int) string { return fmt.Sprintf("1e%d", n) },
	exact:    func(x string, scale int) string { return fmt.Sprintf("toDecimal128(%s, %d)", x, scale) },
	known:    func(condition string) string { return "ifNull(" + condition + ", 0)" },
	high:     func(x string, n int) string { return fmt.Sprintf("bitShiftRight(%s, %d)", x, n) },
	low:      func(x string, n int) string { return fmt.Sprintf("bitAnd(%s, %d)", x, int64(1)<<n-1) },
	show:     call("toString"),
	quotient: func(a, b string) string { return "intDiv(" + a + ", " + b + ")" },
	isNaN:    call("isNaN"),
	blank:    emptied("replaceAll", backslashed("'")),
	digits:   38,
	flat:     true,
}

var trinoSQL = &dialect{
	name:     "trino",
	numbers:  true,
	quote:    doubled,
	literal:  literal,
	whole:    castAs("BIGINT"),
	attempt:  func(x string) string { return within15(x, "CAST(round("+x+") AS BIGINT)") },
	power:    func(n int) string { return fmt.Sprintf("1e%d", n) },
	wide:     castAs("DECIMAL(38,0)"),
	show:     castAs("VARCHAR"),
	quotient: func(a, b string) string { return "(" + a + ") / " + b },
	isNaN:    call("is_nan"),
	blank:    emptied("replace", literal),
	digits:   28, // a whole number counts as one of ten digits
}

// ansiSQL is for servers of which nothing more is known.
var ansiSQL = &dialect{
	name:     "ansi",
	numbers:  true,
	quote:    doubled,
	literal:  literal,
	whole:    castAs("BIGINT"),
	attempt:  func(x string) string { return within15(x, "CAST(round("+x+") AS BIGINT)") },
	power:    func(n int) string { return fmt.Sprintf("CAST(1e%d AS DOUBLE PRECISION)", n) },
	wide:     castAs("DECIMAL(38,0)"),
	show:     castAs("VARCHAR"),
	quotient: func(a, b string) string { return "(" + a + ") / " + b },
	blank:    emptied("replace", literal),
	digits:   28,
}

// doubled is an identifier in the standard's quotes.
func doubled(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// escaped is a text in quotes where a backslash may or may not escape: one that is
// doubled ends no text in either case.
func escaped(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

// backslashed is a text in quotes of that kind where a backslash escapes.
func backslashed(quote string) func(string) string {
	escape := strings.NewReplacer(`\`, `\\`, quote, `\`+quote)
	return func(s string) string { return quote + escape.Replace(s) + quote }
}

func castAs(sqlType string) func(x string) string {
	return func(x string) string { return "CAST(" + x + " AS " + sqlType + ")" }
}

func call(function string) func(x string) string {
	return func(x string) string { return function + "(" + x + ")" }
}

// within15 keeps a cast from doubles of more than fifteen digits, and from what is no
// number.
func within15(x, cast string) string {
	return "CASE WHEN " + x + " BETWEEN -1e15 AND 1e15 THEN " + cast + " END"
}

// emptied tells a text of nothing but white space by taking that out.
func emptied(function string, quoted func(string) string) func(x string) string {
	return func(x string) string {
		for _, c := range spaces {
			x = function + "(" + x + ", " + quoted(string(c)) + ", '')"
		}
		return x + " = ''"
	}
}
