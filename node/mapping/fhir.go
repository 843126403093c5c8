package mapping

import (
	"encoding/json"
	"strings"
)

// The resources that a mapping of FHIR reads; files are called after them.
const (
	Patient           = "Patient"
	Observation       = "Observation"
	ConditionResource = "Condition"
)

// Resources lists the types of resources that the mapping reads.
func (m *Mapping) Resources() []string {
	list := []string{Patient, ConditionResource}
	if m.has(Measurement) {
		list = append(list, Observation)
	}
	return list
}

// MaxLine caps a line of NDJSON, in bytes.
const MaxLine = 4 << 20

// maxCodings caps the codings of one resource, and maxComponents the parts of an observation.
const (
	maxCodings    = 1000
	maxComponents = 1000
)

// The parts of resources that count. What else a resource holds is passed over.
type (
	coding struct {
		System string `json:"system"`
		Code   string `json:"code"`
	}
	codeableConcept struct {
		Coding []coding `json:"coding"`
	}
	reference struct {
		Reference string `json:"reference"`
	}
	period struct {
		Start string `json:"start"`
	}
	quantity struct {
		Value      json.Number `json:"value"`
		Comparator string      `json:"comparator"`
		Unit       string      `json:"unit"`
		Code       string      `json:"code"`
	}
	header struct {
		ResourceType string `json:"resourceType"`
		ID           string `json:"id"`
	}
	patient struct {
		header
		BirthDate        string `json:"birthDate"`
		Gender           string `json:"gender"`
		DeceasedBoolean  bool   `json:"deceasedBoolean"`
		DeceasedDateTime string `json:"deceasedDateTime"`
	}
	condition struct {
		header
		Subject            reference       `json:"subject"`
		Code               codeableConcept `json:"code"`
		VerificationStatus codeableConcept `json:"verificationStatus"`
		OnsetDateTime      string          `json:"onsetDateTime"`
		OnsetPeriod        period          `json:"onsetPeriod"`
		RecordedDate       string          `json:"recordedDate"`
	}
	// measured is a value with what it is of: an observation's own, or that of one of
	// its components, as the two of a blood pressure are.
	measured struct {
		Code          codeableConcept `json:"code"`
		ValueQuantity *quantity       `json:"valueQuantity"`
	}
	observation struct {
		header
		measured
		Status            string     `json:"status"`
		Subject           reference  `json:"subject"`
		EffectiveDateTime string     `json:"effectiveDateTime"`
		EffectivePeriod   period     `json:"effectivePeriod"`
		EffectiveInstant  string     `json:"effectiveInstant"`
		Component         []measured `json:"component"`
	}
)

// ReadResource turns one resource, a line of a file of its type, into rows of
// relations.
func (r *Reader) ReadResource(resource string, line []byte, emit Emit) (*Bad, error) {
	switch resource {
	case Patient:
		var p patient
		if bad := decode(line, resource, &p, &p.header); bad != nil {
			return bad, nil
		}
		return r.readPatient(&p, emit)
	case ConditionResource:
		var c condition
		if bad := decode(line, resource, &c, &c.header); bad != nil {
			return bad, nil
		}
		return r.readConditionResource(&c, emit)
	default:
		var o observation
		if bad := decode(line, resource, &o, &o.header); bad != nil {
			return bad, nil
		}
		return r.readObservation(&o, emit)
	}
}

// decode reads a line; what the JSON package says would quote it.
func decode(line []byte, resource string, v any, h *header) *Bad {
	if err := json.Unmarshal(line, v); err != nil {
		return &Bad{resource, "not JSON in the form of FHIR R4"}
	}
	if h.ResourceType != resource {
		return &Bad{"resourceType", "not " + resource}
	}
	return nil
}

func (r *Reader) readPatient(p *patient, emit Emit) (*Bad, error) {
	if p.ID == "" || len(p.ID) > maxCode {
		return &Bad{"id", "blank or longer than 256 bytes"}, nil
	}
	if len(p.Gender) > maxCode {
		return &Bad{"gender", "longer than 256 bytes"}, nil
	}
	var born any
	if p.BirthDate != "" {
		d, ok := parseDate(p.BirthDate)
		if !ok {
			return &Bad{"birthDate", notADate}, nil
		}
		number, problem := r.birth(d)
		if problem != "" {
			return &Bad{"birthDate", problem}, nil
		}
		born = number
	}
	if err := emit(persons, []any{p.ID, born, p.Gender}); err != nil {
		return nil, err
	}
	if p.DeceasedDateTime == "" {
		if p.DeceasedBoolean {
			return nil, emit(deaths, []any{p.ID, nil})
		}
		return nil, nil
	}
	t, problem := r.event(p.DeceasedDateTime)
	if problem != "" {
		return &Bad{"deceasedDateTime", problem}, nil
	}
	return nil, emit(deaths, []any{p.ID, dayOf(t)})
}

// subject is the patient's id of a reference, relative or absolute.
func (s reference) subject() (string, *Bad) {
	i := strings.LastIndex(s.Reference, Patient+"/")
	if i < 0 || i > 0 && s.Reference[i-1] != '/' {
		return "", nil // a group or a device
	}
	id, _, _ := strings.Cut(s.Reference[i+len(Patient)+1:], "/") // a version may follow
	if id == "" || len(id) > maxCode {
		return "", &Bad{"subject", "no patient's id"}
	}
	return id, nil
}

// wanted lists the codes that a mapping names, each once.
func (c *codeableConcept) wanted(want func(string) bool) ([]string, *Bad) {
	if len(c.Coding) > maxCodings {
		return nil, &Bad{"code", "more than 1000 codings"}
	}
	var list []string
	seen := map[string]bool{}
	for _, k := range c.Coding {
		if s := k.System + "|" + k.Code; want(s) && !seen[s] {
			list, seen[s] = append(list, s), true
		}
	}
	return list, nil
}

func (r *Reader) readConditionResource(c *condition, emit Emit) (*Bad, error) {
	for _, k := range c.VerificationStatus.Coding {
		if k.Code == "refuted" || k.Code == "entered-in-error" {
			return nil, nil
		}
	}
	codes, bad := c.Code.wanted(func(s string) bool { return r.conditions[s] })
	if bad != nil || codes == nil {
		return bad, nil
	}
	id, bad := c.Subject.subject()
	if bad != nil || id == "" {
		return bad, nil
	}
	name, text := first(
		"onsetDateTime", c.OnsetDateTime, "onsetPeriod.start", c.OnsetPeriod.Start, "recordedDate", c.RecordedDate)
	if text == "" {
		return &Bad{"onsetDateTime", "no day of onset or record"}, nil
	}
	t, problem := r.event(text)
	if problem != "" {
		return &Bad{name, problem}, nil
	}
	for _, s := range codes {
		if err := emit(conditions, []any{id, s, dayOf(t), dateNumber(t)}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (r *Reader) readObservation(o *observation, emit Emit) (*Bad, error) {
	switch o.Status {
	case "entered-in-error", "cancelled":
		return nil, nil
	}
	if len(o.Component) > maxComponents {
		return &Bad{"component", "more than 1000 of them"}, nil
	}
	bad, err := r.readMeasured(o, &o.measured, "", emit)
	for i := 0; i < len(o.Component) && bad == nil && err == nil; i++ {
		bad, err = r.readMeasured(o, &o.Component[i], "component.", emit)
	}
	return bad, err
}

// readMeasured reads a value of an observation, which lies there in a field of that name.
func (r *Reader) readMeasured(o *observation, v *measured, field string, emit Emit) (*Bad, error) {
	codes, bad := v.Code.wanted(func(s string) bool { return r.units[s] != nil })
	if bad != nil || codes == nil {
		return bad, nil
	}
	// A value that is only known to be above or below a limit is none.
	q := v.ValueQuantity
	if q == nil || q.Value == "" || q.Comparator != "" {
		return nil, nil
	}
	id, bad := o.Subject.subject()
	if bad != nil || id == "" {
		return bad, nil
	}
	name, text := first(
		"effectiveDateTime", o.EffectiveDateTime, "effectivePeriod.start", o.EffectivePeriod.Start, "effectiveInstant", o.EffectiveInstant)
	if text == "" {
		return &Bad{"effectiveDateTime", "no day of measurement"}, nil
	}
	t, problem := r.event(text)
	if problem != "" {
		return &Bad{name, problem}, nil
	}
	number, problem := value(q.Value.String())
	if problem != "" {
		return &Bad{field + "valueQuantity.value", problem}, nil
	}
	unit := q.Code
	if unit == "" {
		unit = q.Unit
	}
	r.record++
	for _, s := range codes {
		if problem := r.unit(s, unit); problem != "" {
			return &Bad{field + "valueQuantity.code", problem}, nil
		}
		if err := emit(measurements, []any{r.record, id, s, dayOf(t), number, unit}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// first returns the first of pairs of a name and a text that has a text.
func first(pairs ...string) (name, text string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			return pairs[i], pairs[i+1]
		}
	}
	return "", ""
}
