package chaos

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"switchboard/internal/event"
	"switchboard/tests/site"
)

// fault is one kind of harm. do does it, waits as long as the step says, and heals it.
type fault struct {
	name        string
	weight      int // in the deck of its track
	least, most time.Duration
	after       time.Duration // what healing takes, about
	do          func(r *run, s step)
}

const late = "zombie whose writes come late"

// faults are all of them, by what they are done to. A session lasts 3 s.
var faults = []struct {
	name   string
	faults []fault
}{
	{"roles", []fault{
		{"kill a role", 4, 200 * time.Millisecond, 3 * time.Second, 0, killRole},
		{"zombie", 3, 4 * time.Second, 7 * time.Second, 0, zombie}, // out of its group, then awake
		{"stall a role", 1, 500 * time.Millisecond, 2 * time.Second, 0, zombie},
		{"stop a role", 1, 100 * time.Millisecond, time.Second, time.Second, stopRole},
		{"rebalance storm", 1, 4 * time.Second, 7 * time.Second, 0, storm},
	}},
	{"kafka", []fault{
		{"kill a broker", 1, time.Second, 4 * time.Second, 6 * time.Second, killBroker},
		{"freeze a broker", 1, 2 * time.Second, 6 * time.Second, 0, freezeBroker},
		{"freeze a broker until it is fenced", 1, 11 * time.Second, 13 * time.Second, 0, freezeBroker},
		{"cut a broker off", 2, 2 * time.Second, 6 * time.Second, 0, cutBroker},
		{"cut all brokers off", 1, time.Second, 4 * time.Second, 0, cutBrokers},
		{"brokers fall silent", 1, 2 * time.Second, 7 * time.Second, 0, silentBrokers},
	}},
	{"redis", []fault{
		{"kill redis", 1, 200 * time.Millisecond, 3 * time.Second, time.Second, killRedis},
		{"redis restarts from an older AOF", 3, time.Second, 4 * time.Second, time.Second, olderRedis},
		{"failover to a replica that lags", 3, 500 * time.Millisecond, 3 * time.Second, 3 * time.Second, failover},
		{"redis is emptied", 1, 100 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second, emptyRedis},
		{"cut a processor off redis", 2, time.Second, 5 * time.Second, 0, cutRedis},
		{"redis falls silent for a processor", 2, 2 * time.Second, 12 * time.Second, 0, silentRedis},
		{late, 2, 10 * time.Second, 12 * time.Second, 0, lateWrites},
		{"slow redis", 1, 2 * time.Second, 5 * time.Second, 0, slowRedis},
	}},
}

func killRole(r *run, s step) {
	slot := r.roles[s.Victim%len(r.roles)]
	slot.down(syscall.SIGKILL)
	time.Sleep(s.For)
	slot.up()
}

func stopRole(r *run, s step) {
	slot := r.roles[s.Victim%len(r.roles)]
	slot.down(syscall.SIGTERM)
	time.Sleep(s.For)
	slot.up()
}

func zombie(r *run, s step) {
	p := r.roles[s.Victim%len(r.roles)].process()
	p.Signal(syscall.SIGSTOP)
	time.Sleep(s.For)
	p.Signal(syscall.SIGCONT)
}

// storm lets members join and leave, one a second; the odd ones leave by kill -9.
func storm(r *run, s step) {
	for until := time.Now().Add(s.For); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
		role := []string{"processor", "ingest", "processor", "snapshotter"}[s.Victim%4]
		s.Victim++
		p := r.Start(role)
		time.Sleep(500 * time.Millisecond)
		sig := syscall.SIGTERM
		if s.Victim%2 == 0 {
			sig = syscall.SIGKILL
		}
		p.Signal(sig)
		r.guests = append(r.guests, p)
	}
}

// killBroker cuts its wire, too: where nobody listens a connection is refused, and a proxy would take it and end it.
func killBroker(r *run, s step) {
	w := r.brokers[s.Victim%3]
	w.cut()
	r.kafka.Kill(r, 1+s.Victim%3)
	time.Sleep(s.For)
	r.kafka.Start(r)
	w.restore()
}

func freezeBroker(r *run, s step) {
	r.kafka.Pause(r, 1+s.Victim%3)
	time.Sleep(s.For)
	r.kafka.Resume(r, 1+s.Victim%3)
}

func cutBroker(r *run, s step) {
	w := r.brokers[s.Victim%3]
	w.cut()
	time.Sleep(s.For)
	w.restore()
}

func cutBrokers(r *run, s step) {
	each(r.brokers, (*wire).cut)
	time.Sleep(s.For)
	each(r.brokers, (*wire).restore)
}

func silentBrokers(r *run, s step) {
	each(r.brokers, (*wire).silence)
	time.Sleep(s.For)
	each(r.brokers, (*wire).restore)
}

func killRedis(r *run, s step) {
	each(r.redis, (*wire).cut)
	r.primary.Kill()
	time.Sleep(s.For)
	r.primary.Start()
	each(r.redis, (*wire).restore)
}

// olderRedis is what a machine that loses its power does, and an operator with a backup.
func olderRedis(r *run, s step) {
	live, old := filepath.Join(r.primary.Dir, "appendonlydir"), filepath.Join(r.TempDir(), "older")
	r.must(os.CopyFS(old, os.DirFS(live)))
	time.Sleep(s.For)
	each(r.redis, (*wire).cut)
	r.primary.Kill()
	r.must(os.RemoveAll(live))
	r.must(os.CopyFS(live, os.DirFS(old)))
	r.primary.Start()
	each(r.redis, (*wire).restore)
}

// failover makes a primary of a replica that has followed no further since For; what was acknowledged since then is gone. Names lead to it at once.
func failover(r *run, s step) {
	r.following()
	r.command(r.replica, "REPLICAOF", "NO", "ONE")
	time.Sleep(s.For)
	r.primary.Kill()
	r.primary, r.replica = r.replica, r.primary
	each(r.redis, func(w *wire) { w.lead(r.primary.Addr) })
	r.replica.Start()
	r.follow()
}

func emptyRedis(r *run, s step) {
	r.command(r.primary, "FLUSHALL")
	time.Sleep(s.For)
}

func cutRedis(r *run, s step) {
	w := r.redis[s.Victim%len(r.redis)]
	w.cut()
	time.Sleep(s.For)
	w.restore()
}

// silentRedis lets commands reach Redis, and no answer come back.
func silentRedis(r *run, s step) {
	w := r.redis[s.Victim%len(r.redis)]
	w.silence()
	time.Sleep(s.For)
	w.restore()
}

// lateWrites freezes a processor whose last commands are still under way. They arrive when others have folded on what it had. Those are killed as soon
// as they have committed once more: an owner that lives on writes what it has in memory over what the zombie wrote, as soon as
// something comes for the subject. For is the longest wait for each of it.
func lateWrites(r *run, s step) {
	i := s.Victim % processors
	var p *site.Process
	var had []event.Partition
	r.await(s.For, func() bool {
		p = r.roles[i].process()
		had = r.partitionsOf(p)
		return len(had) > 0
	})
	if len(had) == 0 {
		return
	}
	w := r.redis[i]
	held := -w.held()
	w.hold()
	r.await(2*time.Second, func() bool { return held+w.held() >= len(had) }) // a lane without a fact meanwhile is left out
	p.Signal(syscall.SIGSTOP)
	held += w.held()
	before := r.positions(had)
	taken := r.await(s.For, func() bool {
		now, ahead := r.positions(had), 0
		for p, was := range before {
			if now[p].owner == was.owner {
				return false
			}
			if now[p].next > was.next {
				ahead++
			}
		}
		return ahead >= max(1, held)
	})
	w.restore()
	before = r.positions(had)
	if taken && r.await(5*time.Second, func() bool {
		now := r.positions(had)
		for p, was := range before {
			if now[p].next <= was.next && now[p].checked <= was.checked {
				return false
			}
		}
		return true
	}) {
		r.says("writes to %v came behind those of new owners", had)
		r.overtaken.Add(1)
	}
	for other, slot := range r.roles[:processors] {
		if other != i {
			slot.kill()
		}
	}
	p.Signal(syscall.SIGCONT)
}

func slowRedis(r *run, s step) {
	each(r.redis, func(w *wire) { w.delay(150 * time.Millisecond) })
	time.Sleep(s.For)
	each(r.redis, (*wire).restore)
}

func each(wires []*wire, do func(*wire)) {
	for _, w := range wires {
		do(w)
	}
}
