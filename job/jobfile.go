package job

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// The engines that a job may name. That a version lacks one of them is for the
// planner to say: a job that names it is well formed.
const (
	EngineShares = "shares" // three compute parties with replicated shares
	EngineMHE    = "mhe"    // all sites with multiparty homomorphic encryption
	EngineMixed  = "mixed"  // sites add up what is stored as with mhe, parties go on as with shares
)

// File is a job as a person writes it: the question, without who asks, to whom
// the answer goes and until when.
type File struct {
	Study    string
	Dataset  string
	Analysis string
	Where    string
	Args     map[string]any
	Engine   string // empty or "auto": the program's choice; else an engine's name
	Stored   bool
	Nodes    []string // empty: all, or those that the program chooses
	// Attachment names what the job brings along. No file says it: a program does.
	Attachment Hash
}

// fileYAML is File's form on disk.
type fileYAML struct {
	Study    string    `yaml:"study"`
	Dataset  string    `yaml:"dataset"`
	Analysis string    `yaml:"analysis"`
	Where    string    `yaml:"where"`
	Args     yaml.Node `yaml:"args"`
	Engine   string    `yaml:"engine"`
	Stored   bool      `yaml:"stored"`
	Nodes    []string  `yaml:"nodes"`
}

// ParseFile reads a job file's YAML. It checks form alone; names are checked
// against the study by Job.
func ParseFile(b []byte) (*File, error) {
	var y fileYAML
	if err := DecodeYAML("job file", b, MaxJobBytes, &y); err != nil {
		return nil, err
	}
	for _, required := range []struct{ key, value, example string }{
		{"study", y.Study, "lung-2026"}, {"dataset", y.Dataset, "lung"}, {"analysis", y.Analysis, "describe"},
	} {
		if required.value == "" {
			return nil, fmt.Errorf("job file: %s is missing: add a line such as %s: %s", required.key, required.key, required.example)
		}
	}
	args, err := yamlArgs(&y.Args)
	if err != nil {
		return nil, fmt.Errorf("job file: %w", err)
	}
	return &File{
		Study: y.Study, Dataset: y.Dataset, Analysis: y.Analysis, Where: y.Where, Args: args,
		Engine: y.Engine, Stored: y.Stored, Nodes: y.Nodes,
	}, nil
}

// Job makes the job that a client signs: to the roster that it holds, for the
// recipient key, expiring lifetime after now, with a fresh nonce.
func (f *File) Job(r *RosterFile, recipient []byte, lifetime time.Duration, now time.Time) (*Job, error) {
	if f.Study != r.Roster.Study {
		return nil, fmt.Errorf("job: unknown study %s: %s", quoted(f.Study), Near(f.Study, []string{r.Roster.Study}))
	}
	if _, ok := r.Roster.Dataset(f.Dataset); !ok {
		return nil, fmt.Errorf("job: unknown dataset %s: %s", quoted(f.Dataset), Near(f.Dataset, r.Roster.DatasetNames()))
	}
	engine, err := f.engine()
	if err != nil {
		return nil, err
	}
	if lifetime < time.Second || lifetime > MaxLifetime {
		return nil, fmt.Errorf("job: lifetime is %s: use 1s to %s", lifetime, MaxLifetime)
	}
	nonce := make([]byte, NonceSize)
	rand.Read(nonce)
	j := &Job{
		Protocol: ProtocolVersion,
		Study:    f.Study,
		Roster:   r.Hash,
		Dataset:  f.Dataset,
		Analysis: f.Analysis,
		Where:    f.Where,
		Args:     f.Args,
		Engine:   engine,
		Stored:   f.Stored,
		Nodes:    f.nodes(engine, r.Roster),

		Attachment: f.Attachment,
		Recipient:  recipient,
		Nonce:      nonce,
		Expires:    now.Add(lifetime).UTC().Truncate(time.Second),
	}
	if _, err := j.Encode(); err != nil {
		return nil, err
	}
	return j, nil
}

// nodes are those that take part: of a job on what the parties keep as shares they
// suffice, and nobody else has to be there.
func (f *File) nodes(engine string, r *Roster) []string {
	if len(f.Nodes) > 0 || !f.Stored || engine != EngineShares {
		return f.Nodes
	}
	return r.Participants(&Job{Nodes: r.Parties})
}

// engineAuto leaves the choice of the engine to the program.
const engineAuto = "auto"

// engine is the engine that the file asks for, chosen where it leaves that open.
func (f *File) engine() (string, error) {
	switch f.Engine {
	case "", engineAuto:
		if f.Stored {
			return EngineMHE, nil
		}
		return EngineShares, nil
	case EngineShares, EngineMHE, EngineMixed:
		return f.Engine, nil
	}
	return "", fmt.Errorf("job: unknown engine %s: %s", quoted(f.Engine), Near(f.Engine, []string{engineAuto, EngineShares, EngineMHE, EngineMixed}))
}

// yamlArgs reads the mapping under args; an absent one is empty.
func yamlArgs(n *yaml.Node) (map[string]any, error) {
	args := map[string]any{}
	if n.IsZero() || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return args, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: args is no mapping: write args: {columns: [age]}", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: an argument's name is no word: write name: value", key.Line)
		}
		if _, twice := args[key.Value]; twice {
			return nil, fmt.Errorf("line %d: argument %s comes twice: remove one", key.Line, quoted(key.Value))
		}
		value, err := yamlArg(n.Content[i+1])
		if err != nil {
			return nil, fmt.Errorf("line %d: argument %s: %w", n.Content[i+1].Line, quoted(key.Value), err)
		}
		args[key.Value] = value
	}
	return normalArgs(args)
}

func yamlArg(n *yaml.Node) (any, error) {
	if n.Kind != yaml.SequenceNode {
		return yamlScalar(n)
	}
	items := make([]any, len(n.Content))
	for i, item := range n.Content {
		v, err := yamlScalar(item)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

func yamlScalar(n *yaml.Node) (any, error) {
	if n.Kind != yaml.ScalarNode {
		return nil, errors.New("neither a value nor a list of values: write a text, a number, true, false or [a, b]")
	}
	switch n.ShortTag() {
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, errors.New("neither true nor false: write one of them")
		}
		return b, nil
	case "!!int", "!!float":
		return yamlNumber(n.Value)
	case "!!str", "!!timestamp":
		return n.Value, nil
	}
	return nil, errors.New("it has no value: write one, or remove the argument")
}

// yamlNumber takes decimal numbers alone: YAML's octal, hexadecimal, underscored
// and infinite ones are more often a slip than meant.
func yamlNumber(s string) (any, error) {
	d, ok := parseDecimal(s)
	unsigned, _ := cutSign(s)
	if !ok || len(unsigned) > 1 && unsigned[0] == '0' && unsigned[1] >= '0' && unsigned[1] <= '9' {
		return nil, fmt.Errorf("%s is no plain decimal number: write it as 12 or -0.5 with at most %d digits, or in quotes if it is a text", quoted(s), maxDigits)
	}
	return json.Number(d.String()), nil
}
