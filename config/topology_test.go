package config_test

import (
	"testing"

	"switchboard/config"
	"switchboard/topology"
)

// TestDefaultsFitTheTopology: what config names by default is there, and prefixes mean the same on both sides.
func TestDefaultsFitTheTopology(t *testing.T) {
	c, err := config.Load(config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := topology.Load(c.Env, []string{"CallReported", "TextReported", "CallReportAmended", "ReportSubmitted", "DeviceConnected", "DeviceRenamed", "DeviceLinked", "DeviceUnlinked", "DeviceDisconnected", "DeviceEventSubmitted"})
	if err != nil {
		t.Fatal(err)
	}
	if group, ok := top.Group(c.Processor.Group); !ok || group.Role != "processor" {
		t.Errorf("processor.group %q is no group of the topology with the role processor", c.Processor.Group)
	}
	if group, ok := top.Group(c.Snapshot.Group); !ok || group.Role != "snapshotter" {
		t.Errorf("snapshot.group %q is no group of the topology with the role snapshotter", c.Snapshot.Group)
	}
	for _, prefix := range []string{"", "a.", "Run-7_", "-a", "{a}", "a/"} {
		_, err := config.Load(config.Options{Environ: []string{"SWITCHBOARD_KAFKA_TOPIC_PREFIX=" + prefix}})
		if (err == nil) != (topology.CheckPrefix(prefix) == nil) {
			t.Errorf("prefix %q: config says %v, topology %v", prefix, err, topology.CheckPrefix(prefix))
		}
	}
}
