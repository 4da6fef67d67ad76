package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"switchboard/internal/app"
)

// TestShowVerdict: what differs is named in both formats, with the command that repairs it.
func TestShowVerdict(t *testing.T) {
	v := &app.LogVerdict{Hash: "aa", LogHash: "bb", Repair: "switchboard replay run calls.reports/1", Partitions: []app.PartitionVerdict{
		{Partition: "calls.reports/0", Next: 3, Result: "equal"},
		{Partition: "calls.reports/1", Next: 9, Result: "differs", Different: 7, Differences: []app.Difference{
			{LastEvent: "", ReadModel: "totals", Field: "calls", Problem: "another value in Redis"},
			{Subject: "[number]", LastEvent: "calls.reports/1@8", ReadModel: "card", Field: "calls_in", Problem: "missing in Redis"},
		}},
		{Partition: "calls.reports/2", Next: 5, Result: "differs", Unnamed: "it moves"},
	}}
	var out bytes.Buffer
	c := &cli{out: &out}
	if err := c.showVerdict(formatTable, v); err != nil {
		t.Fatal(err)
	}
	const want = `read models  aa
log          bb

PARTITION        POSITION  RESULT
calls.reports/0  3         equal
calls.reports/1  9         differs: 7 subjects
calls.reports/2  5         differs, where is not known: it moves

PARTITION        SUBJECT     LAST EVENT         READ MODEL  FIELD     PROBLEM
calls.reports/1  the totals  none               totals      calls     another value in Redis
calls.reports/1  [number]    calls.reports/1@8  card        calls_in  missing in Redis
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := c.showVerdict(formatJSON, v); err != nil {
		t.Fatal(err)
	}
	var back app.LogVerdict
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || !reflect.DeepEqual(&back, v) {
		t.Errorf("%+v, %v, want %+v", back, err, v)
	}
	if says := (errDiffers{v.Repair}).Error(); !strings.Contains(says, v.Repair) {
		t.Error(says)
	}
}
