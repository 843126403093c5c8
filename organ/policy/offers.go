package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"consilium/job"
)

// Offers is how ranks are offered one at a time.
type Offers struct {
	// AnswerWithin is a duration such as 60m after which the office may go on without
	// the hospital's answer. Left out: it has to wait for it.
	AnswerWithin string `yaml:"answer_within" json:"answer_within"`
}

// Refusal is a reason for which a hospital may refuse an offer.
type Refusal struct {
	Codes []string `yaml:"codes,flow" json:"codes"` // numbers and ranges: 813, 740-799
	Text  string   `yaml:"text" json:"text"`
}

// Limits on offers and refusals.
const (
	minAnswer       = time.Minute
	maxAnswer       = 7 * 24 * time.Hour
	maxRefusals     = 64
	maxRefusalCodes = 64
	// MaxRefusalCode is the greatest code of a refusal.
	MaxRefusalCode = 9999
)

// AnswerWithin is how long an offer may go unanswered before the office may go on; 0
// without such a limit.
func (f *File) AnswerWithin() time.Duration {
	if f.Offers == nil {
		return 0
	}
	d, _ := time.ParseDuration(f.Offers.AnswerWithin) // checked when the policy was read
	return d
}

// Refusal returns what a code of a refusal means; false: the policy has no such code.
func (f *File) Refusal(code int) (string, bool) {
	for _, r := range f.Refusals {
		for _, text := range r.Codes {
			if low, high, err := codeRange(text); err == nil && low <= code && code <= high {
				return r.Text, true
			}
		}
	}
	return "", false
}

// RefusalCodes lists the codes with what they mean, for people who have to choose one.
func (f *File) RefusalCodes() string {
	var parts []string
	for _, r := range f.Refusals {
		parts = append(parts, strings.Join(r.Codes, ", ")+" "+r.Text)
	}
	return strings.Join(parts, "; ")
}

// codeRange reads 813 or 740-799.
func codeRange(text string) (low, high int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	low, err = strconv.Atoi(first)
	if high = low; isRange && err == nil {
		high, err = strconv.Atoi(last)
	}
	again := strconv.Itoa(low)
	if isRange {
		again += "-" + strconv.Itoa(high)
	}
	if err != nil || again != text || low < 1 || high > MaxRefusalCode || low > high || isRange && low == high {
		return 0, 0, fmt.Errorf("%.32q is no code: write a number from 1 to %d, or a range such as 740-799", text, MaxRefusalCode)
	}
	return low, high, nil
}

// checkOffers checks how ranks are offered and refused.
func (f *File) checkOffers() error {
	if f.Kind != Rank && (f.Offers != nil || f.Refusals != nil) {
		return errors.New("offers and refusals are for policies of kind rank: remove them")
	}
	if f.Offers != nil {
		within, err := time.ParseDuration(f.Offers.AnswerWithin)
		if err != nil || within < minAnswer || within > maxAnswer {
			return fmt.Errorf("offers: answer_within is %.32q: give a time from %v to %v, such as 60m", f.Offers.AnswerWithin, minAnswer, maxAnswer)
		}
	}
	if len(f.Refusals) > maxRefusals {
		return fmt.Errorf("%d refusals: at most %d", len(f.Refusals), maxRefusals)
	}
	taken := map[int]bool{}
	for _, r := range f.Refusals {
		if r.Text == "" || job.Printable(r.Text, maxText) != r.Text {
			return fmt.Errorf("refusals: the text %.64q is empty, longer than %d bytes or cannot be printed", r.Text, maxText)
		}
		if len(r.Codes) == 0 || len(r.Codes) > maxRefusalCodes {
			return fmt.Errorf("refusals: %.64q has %d codes: give 1 to %d numbers or ranges", r.Text, len(r.Codes), maxRefusalCodes)
		}
		for _, text := range r.Codes {
			low, high, err := codeRange(text)
			if err != nil {
				return fmt.Errorf("refusals: %.64q: %w", r.Text, err)
			}
			for code := low; code <= high; code++ {
				if taken[code] {
					return fmt.Errorf("refusals: code %d comes twice: a code has one meaning", code)
				}
				taken[code] = true
			}
		}
	}
	return nil
}
