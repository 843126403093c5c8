package job

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestJobRoundTrip(t *testing.T) {
	s := newStudy(t, 3)
	j := s.job()
	j.Args = map[string]any{
		"columns": []string{"age", "<&>"}, "paired": true, "edges": []any{json.Number("0.5"), json.Number("12")},
		"level": json.Number("-2"), "by": "sex", "count": 3,
	}
	b, err := j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	j.Args["columns"] = []any{"age", "<&>"}
	j.Args["count"] = json.Number("3")
	if !reflect.DeepEqual(got, j) {
		t.Errorf("got %+v, want %+v", got, j)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("second encoding differs: %v\n%s\n%s", err, b, again)
	}
	if !bytes.Contains(b, []byte(`"where":"age >= 50 AND sex = 'f'"`)) {
		t.Errorf("where is not readable in %s", b)
	}
}

func TestJobDecodeRefusesOtherSpellings(t *testing.T) {
	s := newStudy(t, 3)
	b, err := s.job().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"trailing byte":      func(j string) string { return j + "\n" },
		"trailing value":     func(j string) string { return j + "{}" },
		"leading space":      func(j string) string { return " " + j },
		"inner space":        func(j string) string { return strings.Replace(j, `,"study"`, `, "study"`, 1) },
		"unknown key":        func(j string) string { return strings.Replace(j, `{"protocol"`, `{"x":1,"protocol"`, 1) },
		"duplicate key":      func(j string) string { return strings.Replace(j, `"study"`, `"study":"other","study"`, 1) },
		"duplicate arg":      func(j string) string { return strings.Replace(j, `"args":{`, `"args":{"columns":["x"],`, 1) },
		"key in capitals":    func(j string) string { return strings.Replace(j, `"study"`, `"Study"`, 1) },
		"escaped":            func(j string) string { return strings.Replace(j, `>=`, `\u003e=`, 1) },
		"null args":          func(j string) string { return strings.Replace(j, `{"columns":["age","sex"]}`, `null`, 1) },
		"nested args":        func(j string) string { return strings.Replace(j, `["age","sex"]`, `[["age"]]`, 1) },
		"object arg":         func(j string) string { return strings.Replace(j, `["age","sex"]`, `{"a":1}`, 1) },
		"exponent":           func(j string) string { return strings.Replace(j, `["age","sex"]`, `1e3`, 1) },
		"trailing zero":      func(j string) string { return strings.Replace(j, `["age","sex"]`, `1.50`, 1) },
		"huge exponent":      func(j string) string { return strings.Replace(j, `["age","sex"]`, `1e999999999`, 1) },
		"many digits":        func(j string) string { return strings.Replace(j, `["age","sex"]`, `1234567890123456789`, 1) },
		"invalid UTF-8":      func(j string) string { return strings.Replace(j, `"age"`, "\"a\xffe\"", 1) },
		"other zone":         func(j string) string { return strings.Replace(j, `06:06:07Z`, `07:06:07+01:00`, 1) },
		"fraction of second": func(j string) string { return strings.Replace(j, `06:06:07Z`, `06:06:07.5Z`, 1) },
		"other version":      func(j string) string { return strings.Replace(j, `"protocol":1`, `"protocol":2`, 1) },
		"empty":              func(string) string { return "" },
		"cut":                func(j string) string { return j[:len(j)-1] },
		"too large":          func(j string) string { return j + strings.Repeat(" ", MaxJobBytes) },
	} {
		t.Run(name, func(t *testing.T) {
			changed := change(string(b))
			if changed == string(b) {
				t.Fatal("the change changed nothing")
			}
			_, err := Decode([]byte(changed))
			wantError(t, err, "job: ")
		})
	}
}

func TestJobFields(t *testing.T) {
	s := newStudy(t, 3)
	for name, c := range map[string]struct {
		change func(*Job)
		want   string
	}{
		"protocol":        {func(j *Job) { j.Protocol = 0 }, "protocol version"},
		"study":           {func(j *Job) { j.Study = "Lung" }, "study is"},
		"dataset":         {func(j *Job) { j.Dataset = "" }, "dataset is"},
		"analysis":        {func(j *Job) { j.Analysis = "../x" }, "analysis is"},
		"engine":          {func(j *Job) { j.Engine = "" }, "engine is"},
		"long where":      {func(j *Job) { j.Where = strings.Repeat("x", MaxPredicateBytes+1) }, "where has"},
		"escape in where": {func(j *Job) { j.Where = "age > 5\x1b[2J" }, "printed"},
		"recipient":       {func(j *Job) { j.Recipient = j.Recipient[1:] }, "recipient key"},
		"short nonce":     {func(j *Job) { j.Nonce = j.Nonce[1:] }, "nonce"},
		"long nonce":      {func(j *Job) { j.Nonce = append(j.Nonce, 0) }, "nonce"},
		"local time":      {func(j *Job) { j.Expires = j.Expires.In(time.FixedZone("x", 3600)) }, "expires"},
		"fraction":        {func(j *Job) { j.Expires = j.Expires.Add(1) }, "expires"},
		"argument name":   {func(j *Job) { j.Args["A b"] = "x" }, "argument is"},
		"float":           {func(j *Job) { j.Args["x"] = 0.1 }, "float64"},
		"nil":             {func(j *Job) { j.Args["x"] = nil }, "cannot stand"},
		"control in arg":  {func(j *Job) { j.Args["x"] = "a\x00" }, "printed"},
		"too large": {func(j *Job) {
			j.Args["x"] = strings.Split(strings.Repeat("a", 20000), "")
		}, "at most 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			j := s.job()
			c.change(j)
			_, err := j.Encode()
			wantError(t, err, c.want)
		})
	}
}

func TestJobFresh(t *testing.T) {
	j := &Job{Expires: someTime}
	for _, c := range []struct {
		before time.Duration
		want   string
	}{
		{time.Second, ""}, {MaxLifetime, ""}, {0, "expired"}, {-time.Hour, "expired"}, {MaxLifetime + time.Second, "shorter lifetime"},
	} {
		err := j.CheckFresh(someTime.Add(-c.before))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s before expiry: %v", c.before, err)
			}
			continue
		}
		wantError(t, err, c.want)
	}
}

func TestArguments(t *testing.T) {
	j := &Job{Args: map[string]any{
		"columns": []any{"age", "sex"}, "by": "sex", "edges": []any{json.Number("0.25"), json.Number("-3")},
		"level": json.Number("1"), "scale": false, "none": []any{},
	}}
	a := j.Arguments()
	if got := a.Strings("columns"); !reflect.DeepEqual(got, []string{"age", "sex"}) {
		t.Errorf("columns %v", got)
	}
	if got := a.Strings("by"); !reflect.DeepEqual(got, []string{"sex"}) {
		t.Errorf("by as list %v", got)
	}
	if got := a.String("level"); got != "1" {
		t.Errorf("level %q", got)
	}
	if got := a.Decimals("edges"); len(got) != 2 || got[0].Cmp(big.NewRat(1, 4)) != 0 || got[1].Cmp(big.NewRat(-3, 1)) != 0 {
		t.Errorf("edges %v", got)
	}
	if got := a.Decimals("level"); len(got) != 1 || got[0].Cmp(big.NewRat(1, 1)) != 0 {
		t.Errorf("one decimal %v", got)
	}
	if a.OptionalDecimal("level", nil).Cmp(big.NewRat(1, 1)) != 0 || a.OptionalDecimal("width", nil) != nil {
		t.Error("one decimal that may be absent")
	}
	if a.OptionalBool("scale", true) || !a.OptionalBool("center", true) {
		t.Error("bools")
	}
	if a.OptionalString("method", "pearson") != "pearson" || a.OptionalStrings("strata") != nil || a.Has("times") || !a.Has("none") {
		t.Error("absent arguments")
	}
	if err := a.Err(); err != nil {
		t.Error(err)
	}
}

func TestArgumentProblems(t *testing.T) {
	for name, c := range map[string]struct {
		args map[string]any
		read func(*Args)
		want string
	}{
		"missing":         {nil, func(a *Args) { a.Strings("columns") }, `argument "columns" is missing`},
		"wrong type":      {map[string]any{"by": true}, func(a *Args) { a.String("by") }, `argument "by" has the wrong type: give one text`},
		"list for one":    {map[string]any{"by": []any{"a", "b"}}, func(a *Args) { a.String("by") }, "one text"},
		"text for number": {map[string]any{"edges": []any{json.Number("1"), "x"}}, func(a *Args) { a.Decimals("edges") }, "list of numbers"},
		"list for number": {map[string]any{"level": []any{json.Number("1")}}, func(a *Args) { a.OptionalDecimal("level", nil) }, "give one number"},
		"text for bool":   {map[string]any{"scale": "yes"}, func(a *Args) { a.OptionalBool("scale", true) }, "true or false"},
		"bool in list":    {map[string]any{"by": []any{"a", true}}, func(a *Args) { a.OptionalStrings("by") }, "list of texts"},
		"empty list":      {map[string]any{"columns": []any{}}, func(a *Args) { a.Strings("columns") }, "empty list"},
		"unknown":         {map[string]any{"column": "age"}, func(a *Args) { a.Has("columns"); a.Has("by") }, `argument "column" is unknown to this analysis: did you mean "columns"? known: by, columns`},
		"none known":      {map[string]any{"column": "age"}, func(*Args) {}, "there are none"},
		"first stays":     {map[string]any{"x": true}, func(a *Args) { a.String("x"); a.String("y") }, `"x"`},
		"bad value":       {map[string]any{"x": 1.5}, func(a *Args) { a.String("x") }, "float64"},
	} {
		t.Run(name, func(t *testing.T) {
			a := (&Job{Args: c.args}).Arguments()
			c.read(a)
			wantError(t, a.Err(), c.want)
		})
	}
}

func TestHashText(t *testing.T) {
	var h Hash
	for i := range h {
		h[i] = byte(i * 7)
	}
	got, err := ParseHash(h.String())
	if err != nil || got != h {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "00", h.String()[1:], h.String() + "00", strings.ToUpper(h.String()), strings.Repeat("g", 64)} {
		_, err := ParseHash(bad)
		wantError(t, err, "64 lower-case hex digits")
	}
}

func TestNear(t *testing.T) {
	for _, c := range []struct {
		name  string
		known []string
		want  string
	}{
		{"agee", []string{"sex", "age"}, `did you mean "age"? known: sex, age`},
		{"AGE", []string{"age"}, `did you mean "age"?`},
		{"x", []string{"f", "m"}, "known: f, m"},
		{"describe", []string{"cox"}, "known: cox"},
		{"x", nil, "there are none"},
		{"zzz", strings.Split(strings.Repeat("aaa,", 99)+"aaa", ","), "aaa and 4 more"},
	} {
		if got := Near(c.name, c.known); !strings.Contains(got, c.want) || strings.HasPrefix(c.want, "known") && got != c.want {
			t.Errorf("Near(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}
