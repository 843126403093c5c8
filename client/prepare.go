package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"consilium/job"
	"consilium/protocols"
)

// DefaultLifetime is how long a signed job may wait for every node's consent.
const DefaultLifetime = time.Hour

// Prepared is a job that is planned but not signed: the moment to read what it
// will reveal.
type Prepared struct {
	// Lifetime is how long after signing the job may still begin, at most
	// job.MaxLifetime.
	Lifetime time.Duration

	client *Client
	file   job.File
	nodes  []string // chosen, where the file leaves it open
	job    *job.Job
	plan   *protocols.Plan

	// Of a private score: the encrypted rows, and the key that opens the scores.
	attachment []byte
	query      *protocols.ScoreQuery
	asked      bool
}

// Prepare plans a job against the pinned roster, as every node will. It refuses
// what they would have to refuse: unknown names, malformed conditions, sums
// that could overflow, an analysis that this version does not have. A job on what is
// deposited, which says nothing of who takes part, is planned for the first sites
// that open it together: see Choose.
func (c *Client) Prepare(file *job.File) (*Prepared, error) {
	p := &Prepared{Lifetime: DefaultLifetime, client: c, file: *file}
	if p.Chooses() {
		var err error
		if p.nodes, err = p.quorum(c.roster.Roster.Names()); err != nil {
			return nil, err
		}
	}
	return p, p.replan()
}

func (p *Prepared) replan() (err error) {
	if p.job, err = p.newJob(); err != nil {
		return err
	}
	p.plan, err = protocols.PlanJob(p.job, p.client.roster.Roster)
	return err
}

// Chooses tells whether any sites that suffice may take part, because the job file
// names none. What is kept as shares takes the three parties.
func (p *Prepared) Chooses() bool {
	return p.file.Stored && len(p.file.Nodes) == 0 && p.file.Engine != job.EngineShares
}

// Choose has the job run at connected sites, as many as open together what is
// deposited, the first ones in the order of the roster; and returns their names. It
// refuses a job for which there are too few.
func (p *Prepared) Choose(connected []string) ([]string, error) {
	var err error
	if p.nodes, err = p.quorum(connected); err != nil {
		return nil, err
	}
	return p.nodes, p.replan()
}

// quorum picks sites of the dataset among nodes.
func (p *Prepared) quorum(nodes []string) ([]string, error) {
	roster := p.client.roster.Roster
	d, ok := roster.Dataset(p.file.Dataset)
	if !ok {
		return nil, nil // Job says it better
	}
	var chosen, away []string
	for _, name := range roster.Names() {
		switch _, site := d.Site(name); {
		case !site || len(chosen) == d.Quorum():
		case slices.Contains(nodes, name):
			chosen = append(chosen, name)
		default:
			away = append(away, name)
		}
	}
	if len(chosen) < d.Quorum() {
		return nil, fmt.Errorf("%d of the %d sites of dataset %s open together what is deposited, and %s not connected; try again when enough of them are", d.Quorum(), len(d.Sites), d.Name, are(away))
	}
	if p.file.Engine == job.EngineMixed {
		return p.withParties(chosen, nodes)
	}
	return chosen, nil
}

// withParties adds the parties, who compute the rest of a job of engine mixed.
func (p *Prepared) withParties(chosen, connected []string) ([]string, error) {
	roster := p.client.roster.Roster
	away := slices.DeleteFunc(slices.Clone(roster.Parties), func(name string) bool { return slices.Contains(connected, name) })
	if len(away) > 0 {
		return nil, fmt.Errorf("engine mixed takes all three parties, and %s not connected; try again later", are(away))
	}
	return roster.Participants(&job.Job{Nodes: slices.Concat(chosen, roster.Parties)}), nil
}

// are lists what is missing, with its verb.
func are(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

func (p *Prepared) newJob() (*job.Job, error) {
	file := p.file
	if p.Chooses() {
		file.Nodes = p.nodes
	}
	return file.Job(p.client.roster, p.client.recipient.public, p.Lifetime, time.Now())
}

// Job is what will be signed, but for its nonce and expiry.
func (p *Prepared) Job() *job.Job { return p.job }

// Plan is the public side of the job.
func (p *Prepared) Plan() *protocols.Plan { return p.plan }

// Statement says, line by line, what the job will reveal to whom, from whose
// rows, computed by whom. It is to be read before signing.
func (p *Prepared) Statement() []string { return p.plan.Statement(p.job, p.client.roster.Roster) }

// Sign signs the job under a fresh nonce and expiry. Each call makes a new job,
// which runs once; sign again after a failure. A private score is signed once: its key
// is for one answer.
func (p *Prepared) Sign() (*job.Signed, error) {
	if p.query != nil && p.asked {
		return nil, errAsked
	}
	p.asked = true
	j, err := p.newJob()
	if err != nil {
		return nil, err
	}
	return job.Sign(j, p.client.identity.Key)
}
