package indicator

// layout is the order of a table's keys and where each indicator's figures stand: two of them exist, made once.
type layout struct {
	keys   []string
	index  map[string]int
	family map[Indicator]int
	base   [][3][3][Place + 1]int // by family and split: its first key, -1 for none
	churn  int                    // its first key
}

var (
	plainLayout    = newLayout(Options{})
	combinedLayout = newLayout(Options{Combined: true})
)

func layoutOf(o Options) *layout {
	if o.Combined {
		return combinedLayout
	}
	return plainLayout
}

func newLayout(o Options) *layout {
	l := &layout{index: map[string]int{}, family: map[Indicator]int{}}
	for i := range families {
		f := &families[i]
		of := f.of
		if o.Combined && len(of) == len(perKind) {
			of = []Interaction{Call, Text, CallAndText}
		}
		base := [3][3][Place + 1]int{}
		weekAndDay(func(w WeekPart, d DayPart) {
			base[w][d] = [...]int{-1, -1, -1, -1}
			for _, interaction := range of {
				split := Split{w, d, interaction}
				base[w][d][interaction] = len(l.keys)
				l.add(string(f.Name)+"__"+split.String(), f.summary != nil)
			}
		})
		l.family[f.Name] = i
		l.base = append(l.base, base)
	}
	l.churn = len(l.keys)
	for _, stat := range statNames[:2] { // mean, std
		l.key(string(ChurnRate) + "__" + stat)
	}
	return l
}

func (l *layout) add(key string, summary bool) {
	if !summary {
		l.key(key)
		return
	}
	for _, stat := range statNames {
		l.key(key + "__" + stat)
	}
}

func (l *layout) key(key string) {
	l.index[key] = len(l.keys)
	l.keys = append(l.keys, key)
}
