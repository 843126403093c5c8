package client

import (
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
	file   *job.File
	job    *job.Job
	plan   *protocols.Plan
}

// Prepare plans a job against the pinned roster, as every node will. It refuses
// what they would have to refuse: unknown names, malformed conditions, sums
// that could overflow, an analysis that this version does not have.
func (c *Client) Prepare(file *job.File) (*Prepared, error) {
	p := &Prepared{Lifetime: DefaultLifetime, client: c, file: file}
	var err error
	if p.job, err = p.newJob(); err != nil {
		return nil, err
	}
	if p.plan, err = protocols.PlanJob(p.job, c.roster.Roster); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Prepared) newJob() (*job.Job, error) {
	return p.file.Job(p.client.roster, p.client.recipient.public, p.Lifetime, time.Now())
}

// Job is what will be signed, but for its nonce and expiry.
func (p *Prepared) Job() *job.Job { return p.job }

// Plan is the public side of the job.
func (p *Prepared) Plan() *protocols.Plan { return p.plan }

// Statement says, line by line, what the job will reveal to whom, from whose
// rows, computed by whom. It is to be read before signing.
func (p *Prepared) Statement() []string { return p.plan.Statement(p.job, p.client.roster.Roster) }

// Sign signs the job under a fresh nonce and expiry. Each call makes a new job,
// which runs once; sign again after a failure.
func (p *Prepared) Sign() (*job.Signed, error) {
	j, err := p.newJob()
	if err != nil {
		return nil, err
	}
	return job.Sign(j, p.client.identity.Key)
}
