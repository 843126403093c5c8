// Package mapping says how a dataset's rows come about from the tables that a
// hospital keeps: OMOP CDM, FHIR R4 resources in NDJSON, or a plain table under
// other names. A mapping is a YAML file at the site. It declares a cohort (an
// index event, an age, a follow-up) and for each column of the analysis table a
// rule; it compiles to one SELECT, which gives one row for each person, and to
// checks that are made before it.
//
// OMOP and FHIR come in one relational form, the Relations of a mapping, so that
// there is one compiler. Whoever runs the queries fills these relations from
// files; see package source.
//
// No error holds an id, a code or a value of a record.
package mapping
