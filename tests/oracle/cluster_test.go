package oracle

import (
	"testing"

	"switchboard/tests/backend"
)

// TestOracleOnCluster asks the same of a Redis Cluster: tags of partitions spread the keys over its nodes.
func TestOracleOnCluster(t *testing.T) {
	if !long() {
		t.Skip("SWITCHBOARD_LONG=1 starts a Redis Cluster for it")
	}
	facts, truths := everything(t)
	o := &oracle{b: backend.RealCluster(t), facts: facts, truths: truths, want: pinnedHash(t)}
	in := install(t, o.b)
	in.process()
	o.importAll(in, inputs())
	in.wait()
	t.Log(o.check(t, in))
	t.Run("batches", func(t *testing.T) { o.batches(t, 7) })
}
