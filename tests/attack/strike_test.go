package attack

import (
	"time"

	"switchboard/internal/event"
	"switchboard/tests/attack/rollback"
)

// deck is what happens in a run, in the order in which it happens: about what COMMIT.md 8 says of a run.
func (r *run) deck() []string {
	var deck []string
	for _, of := range []struct {
		what string
		n    int
	}{
		{"kill", 8}, {"zombie", 14}, {"stall", 3}, {"rollback", 10}, {"leader", 13}, {"coordinator", 2}, {"flush", 1 + r.rand.IntN(2)}, {"refuse", 4}, {"copy", 5},
	} {
		for range of.n {
			deck = append(deck, of.what)
		}
	}
	r.rand.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return append([]string{"copy"}, deck...)
}

// strike does one bad thing.
func (r *run) strike(what string) {
	i := r.rand.IntN(len(r.fleet))
	m := r.fleet[i]
	p := event.Partition{Topic: topic, Number: int32(r.rand.IntN(partitions))}
	switch what {
	case "kill":
		r.kill(i)
	case "zombie": // out of the group, then awake
		r.freeze(m)
		r.counts.one("zombie")
		time.AfterFunc(session+time.Duration(r.rand.IntN(1000))*time.Millisecond, m.net.thaw)
	case "stall": // short of that
		m.net.freeze()
		r.counts.one("stall")
		time.AfterFunc(time.Duration(r.rand.IntN(int(session/time.Millisecond)))*time.Millisecond, m.net.thaw)
	case "rollback":
		r.setBack(p)
	case "leader":
		if err := r.broker.MoveTopicPartition(topic, p.Number, int32(r.rand.IntN(3))); err != nil {
			r.Fatal(err)
		}
		r.counts.one("leader moved")
	case "coordinator":
		r.broker.RehashCoordinators()
		r.counts.one("coordinator moved")
	case "flush":
		r.redis.FlushAll(r.ctx) // a copy of before may still come back: an older dump
		r.counts.one("flushall")
	case "refuse":
		r.refuse()
	case "copy":
		for n := range int32(partitions) {
			c, err := rollback.Copy(r.ctx, r.redis, event.Partition{Topic: topic, Number: n})
			if err == nil && len(c) > 0 {
				r.copies[int(n)] = append(r.copies[int(n)], c)
			}
		}
	}
}

// kill is kill -9, and another processor in its place: at any time, or just before or after one of the trips of a lane.
func (r *run) kill(i int) {
	m := r.fleet[i]
	kill := func() {
		m.net.kill()
		m.stop()
	}
	where := "kill at any time"
	if at, after := r.anyStep(); at != other {
		t := &trap{at: at, after: after, spring: kill}
		remove := m.net.set(t)
		select {
		case <-t.sprung:
		case <-time.After(400 * time.Millisecond):
		}
		if !remove() {
			<-t.sprung
			where = "kill " + order(after) + " " + string(at)
		}
	}
	kill()
	r.counts.one("kill")
	r.counts.one(where)
	r.counts.add(m.net.counts)
	r.fleet[i] = r.start()
}

// freeze stops a processor at any time, or just before or after one of the trips of a lane.
func (r *run) freeze(m *member) {
	at, after := r.anyStep()
	if at != other {
		t := &trap{at: at, after: after, spring: m.net.freeze}
		remove := m.net.set(t)
		select {
		case <-t.sprung:
		case <-time.After(100 * time.Millisecond):
		}
		if !remove() {
			<-t.sprung
			r.counts.one("freeze " + order(after) + " " + string(at))
			return
		}
	}
	m.net.freeze()
}

// anyStep is where to strike; other: at once.
func (r *run) anyStep() (step, bool) {
	if r.rand.IntN(4) == 0 {
		return other, false
	}
	return steps[r.rand.IntN(len(steps))], r.rand.IntN(2) == 0
}

func order(after bool) string {
	if after {
		return "after"
	}
	return "before"
}

// setBack sets a partition back to any copy of it.
func (r *run) setBack(p event.Partition) {
	r.refused.Lock() // a script that is refused would do half of it
	defer r.refused.Unlock()
	list := r.copies[int(p.Number)]
	if len(list) == 0 {
		return
	}
	if err := rollback.To(r.ctx, r.redis, p, list[r.rand.IntN(len(list))]); err != nil {
		r.Fatalf("rollback: %v", err)
	}
	r.counts.one("rollback")
}

// refuse makes Redis refuse every write for a moment: its memory is full, or its replicas are gone.
func (r *run) refuse() {
	name, on, off := "maxmemory", "1", "0"
	if r.rand.IntN(2) == 0 {
		name, on, off = "min-replicas-to-write", "1", "0"
	}
	r.refused.Lock()
	if err := r.redis.ConfigSet(r.ctx, name, on).Err(); err != nil {
		r.Fatal(err)
	}
	r.counts.one(name)
	time.AfterFunc(time.Duration(100+r.rand.IntN(600))*time.Millisecond, func() {
		defer r.refused.Unlock()
		if err := r.redis.ConfigSet(r.ctx, name, off).Err(); err != nil && r.ctx.Err() == nil {
			r.Error(err)
		}
	})
}
