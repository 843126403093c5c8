package source

import (
	"slices"
	"testing"
)

func TestOwnNamesAreFree(t *testing.T) {
	for name, own := range map[string]bool{"age": false, "c": false, "bad1": false, "c1x": false, "b-1": false, "c12": true, "K0": true, "b3": true, "o1": true, "Bad": true} {
		header := []string{"Given1", name}
		r := relation{dialect: clickHouseSQL, from: "t", orderBy: []string{name}}
		given := r.rename(header)
		if slices.Equal(given, header) == own {
			t.Errorf("%s: called %q", name, given)
		}
		if want := "(SELECT `Given1` AS `given_0`, `" + name + "` AS `given_1` FROM t) renamed"; own && (r.from != want || r.orderBy[0] != "given_1") {
			t.Errorf("%s: %s by %s, want %s", name, r.from, r.orderBy, want)
		}
		r = relation{dialect: duckDB, from: "t"}
		if given := r.rename(header); !slices.Equal(given, header) || r.from != "t" {
			t.Errorf("%s is %q where a column comes before a name", name, given)
		}
	}
}
