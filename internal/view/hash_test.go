package view

import (
	"crypto/sha256"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestHashGolden pins the bytes that are hashed: whoever computes the hash elsewhere can begin with these.
func TestHashGolden(t *testing.T) {
	var h Hash
	if got, want := h.String(), "0000000000000000000000000000000000000000000000000000000000000000"; got != want {
		t.Errorf("nothing: %s", got)
	}
	h.Add(Card, "+4915112345678", "calls_in", "3")
	manual := sha256.Sum256([]byte("\x00\x00\x00\x04card\x00\x00\x00\x0e+4915112345678\x00\x00\x00\x08calls_in\x00\x00\x00\x013"))
	if h.Sum() != manual {
		t.Errorf("one record: %s, want %x", h, manual)
	}
	if got, want := h.String(), "a16b13b51ff03d8b478cb7ee4d1bcba1dde21944f66364ea1fc438e8ce0eed52"; got != want {
		t.Errorf("one record: %s, want %s", got, want)
	}
	for _, record := range [][3]string{
		{"card:+4915112345678", "w:2012-W05", "3"},
		{"contacts:+4915112345678", "@", "3 0 0 0 61 0 1328000000000 1328000500000"}, // a contact may have any name
		{"timeline:+4915112345678:2012-W05", "UvQ6Jw0ZLVc", "1328000000000 3600 cia 61 - - @"},
		{"reach:@", "+4915112345678", ""},
		{"top:in", "+4915112345678", "3"},
		{"totals", "subjects", "1"},
		{"card:+4915112345678", "@", "17"},         // left out
		{"card:+4915112345678", "duplicates", "2"}, // left out
	} {
		if err := h.AddKey(record[0], record[1], record[2]); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := h.String(), "7df57dd6daff83f268e420e6337f92719a6dcc21b4c2417fa0abf9e0d37bd0f6"; got != want {
		t.Errorf("seven records: %s, want %s", got, want)
	}
	if h.Records() != 7 {
		t.Errorf("%d records, want 7", h.Records())
	}
}

// TestHashIsASum: any order, any split, and what was removed was never there.
func TestHashIsASum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var whole Hash
	parts := make([]Hash, 3)
	sum := new(big.Int)
	for i := range 1000 {
		value := string(rune('a'+i%26)) + string(rune('0'+i%10))
		field := string(rune(0x100 + i))
		whole.Add(Timeline, "s", field, value)
		parts[r.IntN(3)].Add(Timeline, "s", field, value)
		var one Hash
		one.Add(Timeline, "s", field, value)
		digest := one.Sum()
		sum.Add(sum, new(big.Int).SetBytes(digest[:]))
	}
	var merged Hash
	for _, i := range r.Perm(3) {
		merged.Merge(parts[i])
	}
	if merged != whole {
		t.Errorf("merged %s, whole %s", merged, whole)
	}
	sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256))
	digest := whole.Sum()
	if new(big.Int).SetBytes(digest[:]).Cmp(sum) != 0 {
		t.Errorf("%s is not the sum mod 2^256, %x", whole, sum)
	}
	before := whole
	whole.Add(Card, "a", "b", "c")
	whole.Remove(Card, "a", "b", "c")
	if whole != before {
		t.Error("adding and removing changed the hash")
	}
}

func TestHashOfState(t *testing.T) {
	s := State{}
	for _, m := range []Mutation{
		{SetFields, "card:a", []string{"@", "1", "calls_in", "2", "withheld", "1"}},
		{SetScores, "top:in", []string{"2", "a", "7", "b"}},
		{DropFields, "card:a", []string{"withheld"}},
		{DropMembers, "top:in", []string{"b"}},
		{SetFields, "totals", []string{"calls", "2"}},
		{DropFields, "totals", []string{"calls"}},
	} {
		s.Apply(&m)
	}
	var want Hash
	want.Add(Card, "a", "calls_in", "2")
	want.Add(Top, "in", "a", "2")
	if got, err := s.Hash(); err != nil || got != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	for _, key := range []string{"pos", "totals:x", "card", "unknown:a", ""} {
		if _, _, err := SplitKey(key); err == nil {
			t.Errorf("%q passed as a key", key)
		}
	}
}
