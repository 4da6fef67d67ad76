package kafkalog

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"switchboard/internal/pipeline"
)

// committed is what the group has of a partition.
func (b *bench) committed(n int32) (offset int64, epoch int32, metadata string) {
	b.t.Helper()
	admin := kadm.NewClient(b.produce())
	offsets, err := admin.FetchOffsets(b.ctx, b.group)
	if err != nil {
		b.t.Fatal(err)
	}
	o, ok := offsets.Lookup(b.topic, n)
	if !ok {
		return -1, -1, ""
	}
	return o.At, o.LeaderEpoch, o.Metadata
}

func TestReportsRoundTrip(t *testing.T) {
	onEach(t, 2, func(b *bench) {
		noLeaks(b.t)
		b.fill(b.appender(), 100)
		const metadata = "v1|AAAAAAAAAAAAAAAAAAAAAA|100|1k7dq2x8fa|run|dev|00000000"
		var reported atomic.Int32
		_, stop := b.member(nil, func(ctx context.Context, p *Partition) {
			p.SeekTo(0, -1)
			if err := takeAll(ctx, p, 100, func([]pipeline.Raw) {}); err != nil {
				b.t.Error(err)
			}
			for next := range int64(101) {
				p.Report(next, metadata)
			}
			reported.Add(1)
			<-ctx.Done()
		})
		b.until("reports", func() bool { return reported.Load() == 2 })
		stop() // the last report is made before the group is left
		for n := range b.partitions {
			if at, epoch, got := b.committed(n); at != 100 || epoch != 0 || got != metadata {
				b.t.Errorf("partition %d: committed %d, epoch %d, %q", n, at, epoch, got)
			}
		}
		var checked atomic.Int32
		_, stop = b.member(nil, func(ctx context.Context, p *Partition) {
			want := pipeline.Assignment{Partition: p.id, GroupOffset: 100, Metadata: metadata}
			if got := p.Assignment(); got != want {
				b.t.Errorf("assignment is %+v, want %+v", got, want)
			}
			checked.Add(1)
			<-ctx.Done()
		})
		b.until("assignments", func() bool { return checked.Load() == 2 })
		stop()
	})
}

func TestSameReportIsSaidSeldom(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	commits := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Count: -1, Observe: true})
	var reported atomic.Bool
	c, stop := b.member(nil, func(ctx context.Context, p *Partition) {
		p.SeekTo(0, -1)
		p.Report(7, "m")
		b.until("the first report", func() bool { return p.consumer.count.commits.Load() == 1 })
		for range 1000 {
			p.Report(7, "m")
		}
		p.Report(7, "n")
		b.until("other metadata", func() bool { return p.consumer.count.commits.Load() == 2 })
		reported.Store(true)
		<-ctx.Done()
	})
	b.until("reports", reported.Load)
	stop()
	if got := commits.Hits(); got != 2 || c.Stats().CommitErrors != 0 {
		t.Errorf("%d commits, %d errors, want 2 and 0", got, c.Stats().CommitErrors)
	}
}

//fault:p9 a commit that is answered with an error is counted, nothing stops
func TestReportErrorIsCounted(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.OffsetMetadataTooLarge})
	var failed atomic.Bool
	_, stop := b.member(nil, func(ctx context.Context, p *Partition) {
		p.SeekTo(0, -1)
		p.Report(7, "m")
		b.until("the error", func() bool { return p.consumer.count.commitErrors.Load() == 1 })
		p.Report(7, "m") // as the next tick does
		b.until("the report", func() bool { return p.consumer.count.commits.Load() == 1 })
		failed.Store(true)
		<-ctx.Done()
	})
	b.until("the error", failed.Load)
	stop()
	if at, _, _ := b.committed(0); at != 7 {
		t.Errorf("committed %d", at)
	}
}

//fault:p6 what each answer of the coordinator means for a lease
func TestLeaseCheck(t *testing.T) {
	tests := map[string]struct {
		err  *kerr.Error
		want pipeline.Lease
	}{
		"accepted":             {nil, pipeline.LeaseHeld},
		"unknown member":       {kerr.UnknownMemberID, pipeline.LeaseLost},
		"illegal generation":   {kerr.IllegalGeneration, pipeline.LeaseLost},
		"fenced instance":      {kerr.FencedInstanceID, pipeline.LeaseLost},
		"rebalance":            {kerr.RebalanceInProgress, pipeline.LeaseUnknown},
		"coordinator moves":    {kerr.NotCoordinator, pipeline.LeaseUnknown},
		"not authorised":       {kerr.GroupAuthorizationFailed, pipeline.LeaseUnknown},
		"unknown server error": {kerr.UnknownServerError, pipeline.LeaseUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := onFake(t, 1)
			noLeaks(t)
			var lanes atomic.Int32
			var lease atomic.Int32
			lease.Store(-1)
			_, stop := b.member(func(o *ConsumerOptions) { o.CheckTimeout = time.Second }, func(ctx context.Context, p *Partition) {
				if lanes.Add(1) > 1 {
					<-ctx.Done()
					return
				}
				p.SeekTo(0, -1)
				fault := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: test.err, Count: -1, Observe: test.err == nil})
				lease.Store(int32(p.Check(ctx, 42, "mine")))
				fault.Remove()
				<-ctx.Done()
			})
			b.until("the check", func() bool { return lease.Load() >= 0 })
			if got := pipeline.Lease(lease.Load()); got != test.want {
				t.Errorf("the check says %d, want %d", got, test.want)
			}
			stop()
			if at, _, metadata := b.committed(0); test.err == nil && (at != 42 || metadata != "mine") {
				t.Errorf("committed %d %q", at, metadata)
			}
		})
	}
}

// TestZombie: a member that the group has given up finds out by its lease check, loses its partitions and comes back.
//
//fault:p5 a member given up by its group: its lease check fails, it loses its partitions and comes back
func TestZombie(t *testing.T) {
	b := onFake(t, 1)
	noLeaks(t)
	var lanes, lost atomic.Int32
	_, stop := b.member(func(o *ConsumerOptions) { o.SessionTimeout = 3 * time.Second }, func(ctx context.Context, p *Partition) {
		if lanes.Add(1) > 1 {
			if p.Check(ctx, 2, "") == pipeline.LeaseHeld {
				lost.Add(10)
			}
			<-ctx.Done()
			return
		}
		p.SeekTo(0, -1)
		member, _ := p.consumer.client.GroupMetadata()
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = b.group
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = member
		leave.Members = append(leave.Members, m)
		if _, err := leave.RequestWith(b.ctx, b.produce()); err != nil {
			t.Error(err)
		}
		if p.Check(ctx, 1, "") == pipeline.LeaseLost {
			lost.Add(1)
		}
		<-ctx.Done()
		if _, _, err := p.Take(b.ctx, 1, time.Hour); !errors.Is(err, pipeline.ErrReleased) {
			t.Errorf("Take: %v", err)
		}
	})
	b.until("the second life", func() bool { return lost.Load() == 11 })
	stop()
}
