package node

import (
	"context"
	"sync"

	"consilium/api"
	"consilium/job"
)

// offers are the jobs whose decision waits for a look at this site's file. They
// are settled apart from the coordinator's messages, which a file system that
// hangs must not hold up.
type offers struct {
	mu    sync.Mutex
	ends  map[job.Hash][]*api.JobEnd // what was said meanwhile of each of them
	group sync.WaitGroup
}

func newOffers() *offers { return &offers{ends: make(map[job.Hash][]*api.JobEnd)} }

// open says that a job waits from now on; false when it does already.
func (o *offers) open(id job.Hash) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, waits := o.ends[id]; waits {
		return false
	}
	o.ends[id] = nil
	return true
}

// maxEnds caps the ends that are kept of one waiting job: an honest coordinator
// tells one, by the signer or by itself.
const maxEnds = 4

// hold keeps an end of a job that waits until it is decided, and reports whether
// it waits.
func (o *offers) hold(id job.Hash, m *api.JobEnd) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	held, waits := o.ends[id]
	if waits && len(held) < maxEnds {
		o.ends[id] = append(held, m)
	}
	return waits
}

// close says that a job waits no more, and returns the ends that were held.
func (o *offers) close(id job.Hash) []*api.JobEnd {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.ends[id]
	delete(o.ends, id)
	return held
}

// settle looks at the file of an offered job, decides, and tells the decision.
// A node that stops meanwhile has decided nothing: the job is offered again.
func (n *Node) settle(o *offer) {
	id := o.record.Job
	if !n.offers.open(id) {
		return // the answer to the first offer is the answer to both
	}
	n.offers.group.Go(func() {
		var problem error
		for _, name := range o.reads {
			if problem == nil {
				problem = n.data.available(n.ctx, name, n.log)
			}
		}
		if n.ctx.Err() != nil {
			n.offers.close(id)
			return
		}
		ctx := context.WithoutCancel(n.ctx)
		decision, err := n.decider.settle(ctx, o, problem)
		held := n.offers.close(id)
		if err != nil {
			n.sort(err)
			return
		}
		n.link.tell(n.answered(decision))
		for _, m := range held {
			n.sort(n.end(ctx, m))
		}
	})
}
