package job

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

const exampleFile = `# who is heavier?
study: lung-2026
dataset: lung
analysis: cox
where: age >= 50 AND sex = 1
args: {time: time, event: status = 2, covariates: [age, sex, ph_ecog], ties: efron, edges: [15, 0.50, -2], paired: true, level: "1"}
engine: shares
`

func TestParseFile(t *testing.T) {
	got, err := ParseFile([]byte(exampleFile))
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Study: "lung-2026", Dataset: "lung", Analysis: "cox", Where: "age >= 50 AND sex = 1", Engine: "shares",
		Args: map[string]any{
			"time": "time", "event": "status = 2", "covariates": []any{"age", "sex", "ph_ecog"}, "ties": "efron",
			"edges": []any{json.Number("15"), json.Number("0.5"), json.Number("-2")}, "paired": true, "level": "1",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseFileProblems(t *testing.T) {
	const head = "study: a\ndataset: b\nanalysis: c\n"
	for name, c := range map[string]struct{ file, want string }{
		"empty":         {"", "empty"},
		"unknown key":   {head + "wher: x\n", `line 4: unknown key "wher": did you mean "where"? known: study, dataset, analysis, where, args, engine`},
		"duplicate key": {head + "study: z\n", "line 4"},
		"no study":      {"dataset: b\nanalysis: c\n", "study is missing"},
		"no analysis":   {"study: a\ndataset: b\n", "analysis is missing"},
		"two documents": {head + "---\n" + head, "one document"},
		"list":          {"- a\n", "line 1"},
		"syntax":        {head + "args: {a: [\n", "line"},
		"study a list":  {"study: [a]\ndataset: b\nanalysis: c\n", "line 1: cannot take a list as a text"},
		"args text":     {head + "args: age\n", "line 4: args is no mapping"},
		"nested list":   {head + "args:\n  a: 1\n  b: [[1]]\n", `line 6: argument "b"`},
		"mapping":       {head + "args: {a: {b: c}}\n", "neither a value nor a list"},
		"null":          {head + "args: {a: }\n", "no value"},
		"twice":         {head + "args:\n  a: 1\n  a: 2\n", `line 6: argument "a" comes twice`},
		"octal":         {head + "args: {a: 010}\n", "plain decimal"},
		"hexadecimal":   {head + "args: {a: 0x10}\n", "plain decimal"},
		"underscores":   {head + "args: {a: 1_000}\n", "plain decimal"},
		"infinity":      {head + "args: {a: .inf}\n", "plain decimal"},
		"not a number":  {head + "args: {a: .nan}\n", "plain decimal"},
		"alias":         {head + "args: {a: &x 1, b: *x}\n", "neither a value nor a list"},
		"argument name": {head + "args: {\"a b\": 1}\n", `argument is "a b"`},
		"binary":        {head + "args: {a: !!binary aGk=}\n", "no value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseFile([]byte(c.file))
			wantError(t, err, c.want)
			wantError(t, err, "job file: ")
		})
	}
	_, err := ParseFile(make([]byte, MaxJobBytes+1))
	wantError(t, err, "at most")
}

func TestFileToJob(t *testing.T) {
	s := newStudy(t, 3)
	r := s.file(t)
	now := someTime.Add(123 * time.Millisecond).In(time.FixedZone("x", 7200))
	for engine, want := range map[string]string{"": "shares", "auto": "shares", "shares": "shares", "mhe": "mhe"} {
		f, err := ParseFile([]byte(exampleFile))
		if err != nil {
			t.Fatal(err)
		}
		f.Engine = engine
		j, err := f.Job(r, s.recipient, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		again, err := f.Job(r, s.recipient, time.Hour, now)
		if err != nil || reflect.DeepEqual(j.Nonce, again.Nonce) {
			t.Errorf("the nonce is not fresh: %v", err)
		}
		if j.Engine != want || j.Roster != r.Hash || !j.Expires.Equal(someTime.Add(time.Hour)) || j.CheckFresh(now) != nil {
			t.Errorf("job is %+v", j)
		}
		signed, err := Sign(j, s.client.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := signed.Verify(); err != nil || !reflect.DeepEqual(got, j) {
			t.Errorf("got %+v, %v, want %+v", got, err, j)
		}
	}

	for name, c := range map[string]struct {
		change   func(*File)
		lifetime time.Duration
		want     string
	}{
		"study":     {func(f *File) { f.Study = "lung-2025" }, time.Hour, `unknown study "lung-2025": did you mean "lung-2026"?`},
		"dataset":   {func(f *File) { f.Dataset = "lungs" }, time.Hour, `unknown dataset "lungs": did you mean "lung"?`},
		"engine":    {func(f *File) { f.Engine = "magic" }, time.Hour, `unknown engine "magic": known: auto, shares, mhe`},
		"too long":  {func(*File) {}, MaxLifetime + 1, "lifetime"},
		"too short": {func(*File) {}, 0, "lifetime"},
		"analysis":  {func(f *File) { f.Analysis = "C O X" }, time.Hour, "analysis is"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFile([]byte(exampleFile))
			if err != nil {
				t.Fatal(err)
			}
			c.change(f)
			_, err = f.Job(r, s.recipient, c.lifetime, now)
			wantError(t, err, c.want)
		})
	}
}
