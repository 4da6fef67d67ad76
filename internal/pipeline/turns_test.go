package pipeline

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// TestTurns: who is nearly at the head of the log comes first, then who is furthest behind; what is given up is free again.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(100)
		ctx, cancel := context.WithCancel(t.Context())
		if !turns.Take(ctx, 60, 0) || !turns.Take(ctx, 40, 10) {
			t.Fatal("there is room for both")
		}
		var order []string
		wait := func(ctx context.Context, name string, events int, lag int64) {
			go func() {
				if turns.Take(ctx, events, lag) {
					order = append(order, name)
					turns.Return(events)
				} else {
					order = append(order, "no "+name)
				}
			}()
			synctest.Wait()
		}
		wait(t.Context(), "near", 50, 1000)
		wait(t.Context(), "far", 100, 1_000_000)
		wait(t.Context(), "last batch", 70, 0)
		wait(t.Context(), "small", 60, 5)
		wait(ctx, "given up", 100, 2_000_000)
		turns.Return(40)
		synctest.Wait()
		if len(order) > 0 || turns.Waiting() != 5 {
			t.Fatalf("%v went before the one whose turn it is, which needs 70 of 40", order)
		}
		turns.Return(60)
		synctest.Wait()
		cancel()
		synctest.Wait()
		want := []string{"last batch", "given up", "far", "near", "small"}
		if !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if !turns.Take(t.Context(), 100, 1) {
			t.Error("something is not given back")
		}
	})
}

// TestTurnsGivenUp: a lane that is released while it waits lets the others pass, and one that was given its turn at the same moment gives it back.
func TestTurnsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(10)
		turns.Take(t.Context(), 5, 0)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 2)
		go func() { got <- fmt.Sprint("large ", turns.Take(ctx, 10, 9)) }()
		synctest.Wait()
		go func() { got <- fmt.Sprint("small ", turns.Take(t.Context(), 5, 1)) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		all := []string{<-got, <-got}
		slices.Sort(all)
		if !slices.Equal(all, []string{"large false", "small true"}) || turns.Waiting() != 0 {
			t.Errorf("%v, %d still wait", all, turns.Waiting())
		}
	})
}
