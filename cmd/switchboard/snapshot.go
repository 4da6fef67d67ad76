package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"switchboard/config"
	"switchboard/config/unit"
	"switchboard/internal/app"
	"switchboard/internal/event"
	"switchboard/internal/snapshot"
)

func (c *cli) snapshotCommand() *cobra.Command {
	parent := &cobra.Command{Use: "snapshot", Short: "checkpoints of the folded log: which there are, what they hold, whether they are right", Args: noSuchCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	parent.AddCommand(c.snapshotList(), c.snapshotShow(), c.snapshotVerify())
	return parent
}

// snapshotFlags are shared by the commands about snapshots.
type snapshotFlags struct{ partition, format string }

func (f *snapshotFlags) on(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.partition, "partition", "", "`TOPIC/NUMBER` alone, such as calls.reports/7")
	formatFlag(cmd, &f.format)
	return cmd
}

// snapshots opens the reader and calls f for each partition that is asked for.
func (c *cli) snapshots(cmd *cobra.Command, only string, f func(ctx context.Context, s *app.Snapshots, of event.Partition) error) error {
	cfg, err := c.load(config.RoleSnapshot)
	if err != nil {
		return err
	}
	s, err := app.OpenSnapshots(cfg, c.logger())
	if err != nil {
		return err
	}
	defer s.Close()
	found := false
	for _, of := range s.Partitions() {
		if only != "" && of.String() != only {
			continue
		}
		found = true
		if err := f(cmd.Context(), s, of); err != nil {
			return fmt.Errorf("%s: %w", of, err)
		}
	}
	if !found {
		return usage{fmt.Errorf("--partition %q is no partition that is snapshotted", only)}
	}
	return nil
}

// snapshotLine is one snapshot of `snapshot list`.
type snapshotLine struct {
	Partition   string `json:"partition"`
	Position    int64  `json:"position"`
	Manifest    int64  `json:"manifest_offset"`
	Created     string `json:"created_at"`
	HistoryFrom int64  `json:"history_from"`
	LeaderEpoch int32  `json:"leader_epoch"`
	Fold        int    `json:"fold"`
	Views       string `json:"views"`
	Subjects    int64  `json:"subjects"`
	Reports     int64  `json:"reports"`
	Tombstones  int64  `json:"tombstones"`
	Skipped     int64  `json:"skipped"`
	Buckets     int    `json:"buckets"`
	Chunks      int    `json:"chunks"`
	Fields      int64  `json:"fields"`
	Bytes       int64  `json:"bytes"`
	Packed      int64  `json:"packed_bytes"`
	Refused     string `json:"refused,omitempty"` // why it cannot be used now
}

func lineOf(of event.Partition, m *snapshot.Manifest, refused string) snapshotLine {
	return snapshotLine{
		Partition: of.String(), Position: m.Next, Manifest: m.Offset, Created: time.UnixMilli(m.CreatedMs).UTC().Format(time.RFC3339),
		HistoryFrom: m.HistoryFrom, LeaderEpoch: m.LeaderEpoch, Fold: m.Fold, Views: m.Views, Subjects: m.Totals.Subjects, Reports: m.Totals.Reports,
		Tombstones: m.Tombstones, Skipped: m.Skipped, Buckets: 1 << m.Bits, Chunks: len(m.Chunks), Fields: m.Fields(), Bytes: m.Size(), Packed: m.Packed(), Refused: refused,
	}
}

func (c *cli) snapshotList() *cobra.Command {
	var f snapshotFlags
	return f.on(&cobra.Command{
		Use: "list", Short: "every snapshot, and whether it can be used", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines := []snapshotLine{}
			err := c.snapshots(cmd, f.partition, func(ctx context.Context, s *app.Snapshots, of event.Partition) error {
				list, unreadable, err := s.List(ctx, of)
				for _, l := range list {
					lines = append(lines, lineOf(of, l.Manifest, l.Refused))
				}
				for _, r := range unreadable {
					lines = append(lines, snapshotLine{Partition: of.String(), Position: r.Next, Manifest: r.Offset, Refused: string(r.Reason) + ": " + r.Why})
				}
				return err
			})
			if err != nil {
				return err
			}
			if f.format == formatJSON {
				return c.json(lines)
			}
			return c.table("PARTITION\tPOSITION\tCREATED\tSUBJECTS\tREPORTS\tCHUNKS\tPACKED\tUSABLE", len(lines), func(i int) string {
				l := lines[i]
				usable := "yes"
				if l.Refused != "" {
					usable = "no: " + l.Refused
				} else if l.HistoryFrom > 0 {
					usable = fmt.Sprintf("yes, incomplete before %d", l.HistoryFrom)
				}
				return fmt.Sprintf("%s\t%d\t%s\t%d\t%d\t%d\t%s\t%s", l.Partition, l.Position, l.Created, l.Subjects, l.Reports, l.Chunks, size(l.Packed), usable)
			})
		},
	})
}

// json writes an answer.
func (c *cli) json(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes lines of cells that tabs separate.
func (c *cli) table(head string, lines int, line func(i int) string) error {
	if lines == 0 {
		fmt.Fprintln(c.out, "there is none")
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for i := range lines {
		fmt.Fprintln(w, line(i))
	}
	return w.Flush()
}

// size is for people.
func size(n int64) string {
	switch b := float64(n); {
	case n >= int64(unit.GiB):
		return fmt.Sprintf("%.1fGiB", b/float64(unit.GiB))
	case n >= int64(unit.MiB):
		return fmt.Sprintf("%.1fMiB", b/float64(unit.MiB))
	case n >= int64(unit.KiB):
		return fmt.Sprintf("%.1fKiB", b/float64(unit.KiB))
	}
	return fmt.Sprintf("%dB", n)
}

// sectionLine is the chunks of one week, or the heads, of `snapshot show`.
type sectionLine struct {
	Week   string `json:"week"` // "" is the heads
	Chunks int    `json:"chunks"`
	Fields int64  `json:"fields"`
	Bytes  int64  `json:"bytes"`
	Packed int64  `json:"packed_bytes"`
}

func (c *cli) snapshotShow() *cobra.Command {
	var f snapshotFlags
	return f.on(&cobra.Command{
		Use: "show OFFSET", Short: "what the snapshots at a position hold", Args: args(1, "one OFFSET, the position of a snapshot"),
		RunE: func(cmd *cobra.Command, got []string) error {
			next, err := strconv.ParseInt(got[0], 10, 64)
			if err != nil || next < 0 {
				return usage{fmt.Errorf("%q is no position: want one of `switchboard snapshot list`", got[0])}
			}
			found := 0
			err = c.snapshots(cmd, f.partition, func(ctx context.Context, s *app.Snapshots, of event.Partition) error {
				list, _, err := s.List(ctx, of)
				for _, l := range list {
					if l.Next == next {
						found++
						if err := c.showSnapshot(f.format, lineOf(of, l.Manifest, l.Refused), l.Manifest); err != nil {
							return err
						}
					}
				}
				return err
			})
			if err == nil && found == 0 {
				return fmt.Errorf("there is no snapshot at %d", next)
			}
			return err
		},
	})
}

func (c *cli) showSnapshot(format string, head snapshotLine, m *snapshot.Manifest) error {
	byWeek := make(map[event.Week]int)
	var sections []sectionLine
	for i := range m.Chunks {
		chunk := &m.Chunks[i]
		at, ok := byWeek[chunk.Week]
		if !ok {
			at = len(sections)
			byWeek[chunk.Week] = at
			sections = append(sections, sectionLine{Week: string(chunk.Week)})
		}
		s := &sections[at]
		s.Chunks, s.Fields, s.Bytes, s.Packed = s.Chunks+1, s.Fields+chunk.Fields, s.Bytes+chunk.Size, s.Packed+chunk.Packed
	}
	slices.SortFunc(sections, func(a, b sectionLine) int { return strings.Compare(a.Week, b.Week) })
	if format == formatJSON {
		return c.json(struct {
			snapshotLine
			Sections []sectionLine `json:"sections"`
		}{head, sections})
	}
	usable := "yes"
	if head.Refused != "" {
		usable = "no: " + head.Refused
	}
	for _, line := range [][2]string{
		{"partition", head.Partition}, {"position", fmt.Sprintf("%d, folded from %d", head.Position, head.HistoryFrom)},
		{"usable", usable}, {"created", head.Created}, {"manifest", fmt.Sprintf("offset %d of the topic of snapshots", head.Manifest)},
		{"fold", fmt.Sprintf("version %d, views %s", head.Fold, strings.ReplaceAll(head.Views, ",", " "))},
		{"leader epoch", fmt.Sprint(head.LeaderEpoch)}, {"holds", fmt.Sprintf("%d subjects, %d reports, %d fields", head.Subjects, head.Reports, head.Fields)},
		{"left out", fmt.Sprintf("%d tombstones, %d records that cannot be folded", head.Tombstones, head.Skipped)},
		{"chunks", fmt.Sprintf("%d in %d buckets, %s, %s in the topic", head.Chunks, head.Buckets, size(head.Bytes), size(head.Packed))},
	} {
		fmt.Fprintf(c.out, "%-13s %s\n", line[0], line[1])
	}
	return c.table("\nWEEK\tCHUNKS\tFIELDS\tBYTES\tPACKED", len(sections), func(i int) string {
		s := sections[i]
		week := s.Week
		if week == "" {
			week = "heads"
		}
		return fmt.Sprintf("%s\t%d\t%d\t%s\t%s", week, s.Chunks, s.Fields, size(s.Bytes), size(s.Packed))
	})
}

func (c *cli) snapshotVerify() *cobra.Command {
	var f snapshotFlags
	return f.on(&cobra.Command{
		Use: "verify", Short: "check every chunk, and fold the newest snapshots again; fails when anything is wrong", Args: args(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			verdicts := []app.Verdict{}
			wrong := 0
			err := c.snapshots(cmd, f.partition, func(ctx context.Context, s *app.Snapshots, of event.Partition) error {
				v, err := s.Verify(ctx, of)
				verdicts = append(verdicts, v)
				wrong += len(v.Problems)
				return err
			})
			if err != nil {
				return err
			}
			if f.format == formatJSON {
				err = c.json(verdicts)
			} else {
				err = c.table("PARTITION\tSNAPSHOTS\tCHUNKS\tNEWEST\tONE BEFORE + EVENTS\tLOG FROM ITS START\tHASH", len(verdicts), func(i int) string {
					v := verdicts[i]
					return fmt.Sprintf("%s\t%d\t%d\t%d\t%s\t%s\t%.12s", v.Partition, v.Snapshots, v.Chunks, v.Newest, v.Step, v.Fold, v.Hash)
				})
				for _, v := range verdicts {
					for _, p := range v.Problems {
						fmt.Fprintf(c.out, "%s: %s\n", v.Partition, p)
					}
				}
			}
			if err == nil && wrong > 0 {
				return fmt.Errorf("%d problems", wrong)
			}
			return err
		},
	})
}
