package mapping

import (
	"strconv"
	"strings"
)

// Source is a table of a data model and what is read of it.
type Source struct {
	Table    string // its file is called so, with an ending
	Columns  []string
	Optional []string // columns that need not be there
	Concept  string   // the column by which rows count; "": all of them do
	Concepts []string // which; an engine may leave out the others
	read     func(r *Reader, cells []string, emit Emit) (*Bad, error)
}

// Sources lists the OMOP tables that the mapping reads.
func (m *Mapping) Sources() []Source {
	list := []Source{
		{
			Table: "person", read: readPerson,
			Columns: []string{"person_id", "gender_concept_id", "year_of_birth"}, Optional: []string{"month_of_birth", "day_of_birth"},
		},
		{
			Table: "condition_occurrence", read: readCondition,
			Columns: []string{"person_id", "condition_concept_id", "condition_start_date"},
			Concept: "condition_concept_id", Concepts: m.conditionConcepts(),
		},
		{Table: "death", read: readDeath, Columns: []string{"person_id", "death_date"}},
		{
			Table: "observation_period", read: readPeriod,
			Columns: []string{"person_id", "observation_period_start_date", "observation_period_end_date"},
		},
	}
	if m.has(Measurement) {
		list = append(list, Source{
			Table: "measurement", read: readMeasurement,
			Columns: []string{"person_id", "measurement_concept_id", "measurement_date", "value_as_number", "unit_concept_id"}, Optional: []string{"operator_concept_id"},
			Concept: "measurement_concept_id", Concepts: m.concepts(Measurement),
		})
	}
	if m.has(Drug) {
		list = append(list, Source{
			Table: "drug_exposure", read: readDrug,
			Columns: []string{"person_id", "drug_concept_id", "drug_exposure_start_date"}, Optional: []string{"drug_exposure_end_date"},
			Concept: "drug_concept_id", Concepts: m.concepts(Drug),
		})
	}
	return list
}

// Read turns a row of a table, its cells in the order of Columns and Optional, into
// rows of relations. An optional column that is not there has blank cells.
func (r *Reader) Read(s *Source, cells []string, emit Emit) (*Bad, error) {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if cells[0] == "" || len(cells[0]) > maxCode {
		return &Bad{"person_id", "blank or longer than 256 bytes"}, nil
	}
	return s.read(r, cells, emit)
}

func readPerson(r *Reader, cells []string, emit Emit) (*Bad, error) {
	var born any
	if cells[2] != "" {
		var d date
		for i, part := range []*int{&d.year, &d.month, &d.day} {
			if cells[2+i] == "" {
				continue
			}
			n, err := strconv.ParseUint(cells[2+i], 10, 16)
			if err != nil || n == 0 {
				return &Bad{[]string{"year_of_birth", "month_of_birth", "day_of_birth"}[i], "not a whole number above 0"}, nil
			}
			*part = int(n)
		}
		number, problem := r.birth(d)
		if problem != "" {
			return &Bad{"year_of_birth", problem}, nil
		}
		born = number
	}
	return nil, emit(persons, []any{cells[0], born, cells[1]})
}

func readCondition(r *Reader, cells []string, emit Emit) (*Bad, error) {
	if !r.conditions[cells[1]] {
		return nil, nil
	}
	t, problem := r.event(cells[2])
	if problem != "" {
		return &Bad{"condition_start_date", problem}, nil
	}
	return nil, emit(conditions, []any{cells[0], cells[1], dayOf(t), dateNumber(t)})
}

func readDeath(r *Reader, cells []string, emit Emit) (*Bad, error) {
	t, problem := r.event(cells[1])
	if problem != "" {
		return &Bad{"death_date", problem}, nil
	}
	return nil, emit(deaths, []any{cells[0], dayOf(t)})
}

func readPeriod(r *Reader, cells []string, emit Emit) (*Bad, error) {
	first, problem := r.event(cells[1])
	if problem != "" {
		return &Bad{"observation_period_start_date", problem}, nil
	}
	last, problem := r.event(cells[2])
	if problem != "" {
		return &Bad{"observation_period_end_date", problem}, nil
	}
	if last.Before(first) {
		return &Bad{"observation_period_end_date", "before the start"}, nil
	}
	return nil, emit(periods, []any{cells[0], dayOf(first), dayOf(last)})
}

// equals is OMOP's concept of the operator "=".
const equals = "4172703"

func readMeasurement(r *Reader, cells []string, emit Emit) (*Bad, error) {
	concept, number, unit, operator := cells[1], cells[3], cells[4], cells[5]
	// A value that is only known to be above or below a limit is none.
	if r.units[concept] == nil || number == "" || operator != "" && operator != "0" && operator != equals {
		return nil, nil
	}
	t, problem := r.event(cells[2])
	if problem != "" {
		return &Bad{"measurement_date", problem}, nil
	}
	v, problem := value(number)
	if problem != "" {
		return &Bad{"value_as_number", problem}, nil
	}
	if unit == "0" { // OMOP's "no matching concept"
		unit = ""
	}
	if problem := r.unit(concept, unit); problem != "" {
		return &Bad{"unit_concept_id", problem}, nil
	}
	r.record++
	return nil, emit(measurements, []any{r.record, cells[0], concept, dayOf(t), v, unit})
}

func readDrug(r *Reader, cells []string, emit Emit) (*Bad, error) {
	if !r.drugs[cells[1]] {
		return nil, nil
	}
	first, problem := r.event(cells[2])
	if problem != "" {
		return &Bad{"drug_exposure_start_date", problem}, nil
	}
	last := first
	if cells[3] != "" {
		// A prescription may well reach beyond today.
		d, ok := parseDate(cells[3])
		if !ok {
			return &Bad{"drug_exposure_end_date", notADate}, nil
		}
		if last = d.at(1, 1); last.Before(first) {
			return &Bad{"drug_exposure_end_date", "before the start"}, nil
		}
	}
	return nil, emit(drugs, []any{cells[0], cells[1], dayOf(first), dayOf(last)})
}
