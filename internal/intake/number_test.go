package intake

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"switchboard/internal/event"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		raw, region string
		want        Number
	}{
		// The examples of DOMAIN.md 1.6.
		{"020 7946 0958", "GB", Number{"+442079460958", "GB", event.Fixed, "44207"}},
		{"00 44 20 7946 0958", "FR", Number{"+442079460958", "GB", event.Fixed, "44207"}},
		{"0900 1234567", "NL", Number{"+319001234567", "NL", event.PremiumRate, "31900"}},
		{"+881612345678", "US", Number{"+881612345678", "001", event.Mobile, "881612"}},
		{"911", "US", Number{ID: "911"}},
		{"private", "US", Number{ID: "private"}},
		// The same number in other dress.
		{"(650) 253-0000", "US", Number{"+16502530000", "US", event.FixedOrMobile, "1650"}},
		{"tel:+1-650-253-0000", "DE", Number{"+16502530000", "US", event.FixedOrMobile, "1650"}},
		{" +1 650 253 0000 ", "", Number{"+16502530000", "US", event.FixedOrMobile, "1650"}},
		{"011 44 20 7946 0958", "US", Number{"+442079460958", "GB", event.Fixed, "44207"}},
		{"+4915112345678", "", Number{"+4915112345678", "DE", event.Mobile, "49151"}},
		{"+80012345678", "", Number{"+80012345678", "001", event.TollFree, "800123"}},
		// Possible, but not assigned: E.164, and nothing is said about it.
		{"555-123-4567", "US", Number{ID: "+15551234567", Prefix: "1555"}},
		{"+1 555 123 4567", "DE", Number{ID: "+15551234567", Prefix: "1555"}},
		// No numbers.
		{"112", "DE", Number{ID: "112"}},
		{"72404", "DE", Number{ID: "72404"}},
		{"116117", "DE", Number{ID: "116117"}},
		{"1234567", "US", Number{ID: "1234567"}},
		{"+49", "DE", Number{ID: "+49"}},
		{"+911", "US", Number{ID: "+911"}},
		{"4155550132", "", Number{ID: "4155550132"}},
		{"correspondent_28", "DE", Number{ID: "correspondent_28"}},
		{"sub_28123456789", "US", Number{ID: "sub_28123456789"}},
		{"1-800-FLOWERS", "US", Number{ID: "1-800-FLOWERS"}},
		{"+1 201 555 0123 ext 5", "US", Number{ID: "+1 201 555 0123 ext 5"}},
		{"*100#", "US", Number{ID: "*100#"}},
		{"A", "US", Number{ID: "A"}},
		{"", "US", Number{}},
		{strings.Repeat("1", 300), "US", Number{ID: strings.Repeat("1", 300)}},
		{"\xff\xfe123456789", "US", Number{ID: "\xff\xfe123456789"}},
	} {
		if got := ParseNumber(c.raw, c.region); got != c.want {
			t.Errorf("ParseNumber(%q, %q) = %+v, want %+v", c.raw, c.region, got, c.want)
		}
	}
}

// A number that was normalised once is not changed by being normalised again, in any region.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"020 7946 0958", "+881612345678", "911", "0049 30 123456", "555-123-4567", "+(", "++1", "٠٣٠", "+ 1/2.3"} {
		f.Add(s, "GB")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		if n, err := phonenumbers.Parse(raw, region); err == nil {
			if _, _, valid := judge(n); valid != phonenumbers.IsValidNumber(n) {
				t.Fatalf("%q in %q: valid %v", raw, region, valid)
			}
		}
		once := ParseNumber(raw, region)
		if once.IsNumber() {
			for _, other := range []string{region, "", "US", "DE"} {
				if again := ParseNumber(once.ID, other); again != once {
					t.Fatalf("ParseNumber(%q, %q) = %+v, again in %q: %+v", raw, region, once, other, again)
				}
			}
		}
	})
}

func TestNumbersRemembersAndForgets(t *testing.T) {
	c := newNumbers(4)
	for range 3 {
		for _, raw := range []string{"020 7946 0958", "911", "a", "b", "c", "d", "e", "f"} {
			if got, want := c.parse(raw, "GB"), ParseNumber(raw, "GB"); got != want {
				t.Errorf("parse(%q) = %+v, want %+v", raw, got, want)
			}
		}
	}
	if n := len(c.texts.young) + len(c.texts.old); n > 4 {
		t.Errorf("%d texts are remembered, want at most 4", n)
	}
}

// What is remembered of a number in E.164 is what parsing it says, in every region; the second time around it comes from memory.
func TestNumbersInE164(t *testing.T) {
	c := newNumbers(2) // 32 in E.164
	r := rand.New(rand.NewPCG(1, 2))
	raws := []string{"+447700900123", "+4915112345678", "+8001234567", "+882161234567", "+390612345678", "+1", "+12", "+0447700900123", "+999123456789", "+61001000", "+881612345678"}
	for range 60 {
		raws = append(raws, fmt.Sprintf("+%d", 1000+r.Int64N(100_000_000_000_000)))
	}
	for range 3 {
		for _, raw := range raws {
			for _, region := range []string{"GB", "", "US"} {
				for range 2 {
					want := ParseNumber(raw, region)
					got := c.parse(raw, region)
					if got != want {
						t.Fatalf("parse(%q, %q) = %+v, want %+v", raw, region, got, want)
					}
					if got, want := c.dialRegion(got), want.dialRegion(); got != want {
						t.Fatalf("dialRegion of %q = %q, want %q", raw, got, want)
					}
				}
			}
		}
	}
	if n := len(c.e164.young) + len(c.e164.old); n > 32 || n < 8 {
		t.Errorf("%d numbers are remembered, want at most 32, and some", n)
	}
}

// BenchmarkNumbers is 20,000 subscribers with 20 contacts each, one event after the other as they come in; it tells how many bytes what it remembers takes.
func BenchmarkNumbers(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := newNumbers(65_536)
	r := rand.New(rand.NewPCG(1, 2))
	event := func() {
		who, contact := r.IntN(20_000), r.IntN(5)
		if r.IntN(3) == 0 {
			contact = 5 + r.IntN(15)
		}
		c.parse(fmt.Sprintf("+4477%08d", who), "GB")
		c.parse(fmt.Sprintf("+4477%08d", (who*7919+contact*104_729)%99_999_999), "GB")
	}
	for range 100_000 {
		event()
	}
	for b.Loop() {
		event()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
	runtime.KeepAlive(c)
}

func TestNumberingVersionIsTheModules(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/" + NumberingVersion; !strings.Contains(string(mod), want) {
		t.Errorf("NumberingVersion is %q, which is not what go.mod requires", NumberingVersion)
	}
}

func BenchmarkParseNumber(b *testing.B) {
	for b.Loop() {
		ParseNumber("+4915112345678", "DE")
	}
}
