package source

import (
	"strconv"
	"strings"
)

// kind is what a database's type is to a cast.
type kind int

const (
	other     kind = iota
	integer64      // whole numbers of at most 64 bits, signed
	integers       // wider or unsigned ones
	exact          // decimal numbers
	double
	single
	boolean
	texts
)

// columnType is a database's type.
type columnType struct {
	kind      kind
	precision int // digits of an exact number; 0: not told
	scale     int // of them after the point
}

// kinds are the types' names of all engines, in lower case.
var kinds = map[string]kind{
	"tinyint": integer64, "smallint": integer64, "mediumint": integer64, "integer": integer64, "int": integer64, "bigint": integer64,
	"int2": integer64, "int4": integer64, "int8": integer64, "int16": integer64, "int32": integer64, "int64": integer64,
	"year":     integer64,
	"utinyint": integer64, "usmallint": integer64, "uinteger": integer64, "uint8": integer64, "uint16": integer64, "uint32": integer64,
	"ubigint": integers, "uint64": integers, "hugeint": integers, "uhugeint": integers,
	"decimal": exact, "numeric": exact,
	"double": double, "double precision": double, "float8": double, "float64": double,
	"float": single, "real": single, "float4": single, "float32": single,
	"boolean": boolean, "bool": boolean,
	"varchar": texts, "text": texts, "string": texts, "char": texts, "bpchar": texts, "utf8": texts,
	"tinytext": texts, "mediumtext": texts, "longtext": texts, "character varying": texts,
}

// typeOf reads a type's name as the engines' drivers tell it, such as
// DECIMAL(6,1), Nullable(Int64) or UNSIGNED BIGINT.
func typeOf(name string) columnType {
	s := strings.ToLower(strings.TrimSpace(name))
	for _, wrapper := range []string{"nullable(", "lowcardinality("} {
		if inner, ok := strings.CutPrefix(s, wrapper); ok {
			return typeOf(strings.TrimSuffix(inner, ")"))
		}
	}
	base, arguments, _ := strings.Cut(s, "(")
	base, unsigned := strings.CutPrefix(base, "unsigned ")
	t := columnType{kind: kinds[strings.TrimSpace(base)]}
	if unsigned && t.kind == integer64 {
		t.kind = integers
	}
	if t.kind == exact {
		width, places, _ := strings.Cut(strings.TrimSuffix(arguments, ")"), ",")
		t.precision, _ = strconv.Atoi(strings.TrimSpace(width)) // 0 where it is not told
		t.scale, _ = strconv.Atoi(strings.TrimSpace(places))
	}
	return t
}
