package job

import (
	"strings"
	"testing"
	"time"
)

// garden stands for a configuration file of another package.
type garden struct {
	Beds     []bed          `yaml:"beds"`
	Water    time.Duration  `yaml:"water"`
	Sheds    map[string]bed `yaml:"sheds"`
	Trellis  *trellis       `yaml:"trellis"`
	internal int
}

type bed struct {
	Plants []string `yaml:"plants"`
}

type trellis struct {
	Above *trellis `yaml:"above"`
	Pots  []pot    `yaml:"pots"`
}

// pot is a number, or a struct.
type pot struct {
	Litres int `yaml:"litres"`
}

func (p *pot) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&p.Litres) == nil {
		return nil
	}
	type plain pot
	return unmarshal((*plain)(p))
}

func TestDecodeYAML(t *testing.T) {
	var g garden
	if err := DecodeYAML("garden", []byte("water: 1m30s\nbeds: [{plants: [leek]}]\ntrellis: {above: {}}\n"), 100, &g); err != nil {
		t.Fatal(err)
	}
	if g.Water != 90*time.Second || len(g.Beds) != 1 || g.Beds[0].Plants[0] != "leek" || g.Trellis.Above == nil || g.internal != 0 {
		t.Errorf("read %+v", g)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "garden: the file is empty"},
		"too long":       {"#" + strings.Repeat("x", 100), "garden: 101 bytes, at most 100"},
		"two documents":  {"water: 1s\n---\nwater: 2s\n", "garden: more than one YAML document"},
		"twice":          {"water: 1s\nwater: 2s\n", "already defined"},
		"unknown key":    {"fence: 1\n", `garden: line 1: unknown key "fence": known: beds, water, sheds, trellis`},
		"in a list":      {"beds:\n- plant: [x]\n", `line 2: unknown key "plant": did you mean "plants"?`},
		"in a mapping":   {"sheds: {a: {plant: [x]}}\n", `did you mean "plants"?`},
		"within itself":  {"trellis: {above: {over: {}}}\n", `unknown key "over": known: above, pots`},
		"of two forms":   {"trellis: {pots: [3, {liters: 4}]}\n", `unknown key "liters": did you mean "litres"? known: litres`},
		"no unit":        {"water: 20\n", "cannot take the number `20` as a duration such as 20s"},
		"list of struct": {"- x\n", "cannot take a list as garden"},
		"a terminal's":   {"water: \"\\e[2J\"\n", "cannot take the text `?[2J` as a duration"},
		"broken":         {"beds: [", "mind indentation"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, DecodeYAML("garden", []byte(c.text), 100, new(garden)), c.want)
		})
	}
}
