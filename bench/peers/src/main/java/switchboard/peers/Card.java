package switchboard.peers;

/**
 * The head record of a subscriber, as internal/fold/sums.go sums it. Its fields are longs in the order of {@link #NAMES}; a bit of changed stands for each that
 * was written to since the card was last sent to Redis. Public fields and the constructor without arguments make it a POJO for Flink.
 */
public final class Card {
    static final String[] NAMES = {
        "calls_in", "calls_out", "texts_in", "texts_out", "seconds_in", "seconds_out", "withheld", "first_ms", "last_ms", "amended"
    };
    static final int CALLS_IN = 0, CALLS_OUT = 1, TEXTS_IN = 2, TEXTS_OUT = 3, SECONDS_IN = 4, SECONDS_OUT = 5, WITHHELD = 6, FIRST_MS = 7, LAST_MS = 8, AMENDED = 9;

    public long[] values = new long[NAMES.length];
    public int changed;

    void add(Fact f) {
        if (f.amendment) { // duplicates: off counts and ignores them
            raise(AMENDED, 1);
            return;
        }
        boolean none = values[CALLS_IN] + values[CALLS_OUT] + values[TEXTS_IN] + values[TEXTS_OUT] == 0;
        if (none || f.occurredAt < values[FIRST_MS]) set(FIRST_MS, f.occurredAt);
        if (none || f.occurredAt > values[LAST_MS]) set(LAST_MS, f.occurredAt);
        raise((f.call ? CALLS_IN : TEXTS_IN) + (f.in ? 0 : 1), 1);
        if (f.seconds != 0) raise(f.in ? SECONDS_IN : SECONDS_OUT, f.seconds);
        if (f.withheld) raise(WITHHELD, 1);
    }

    private void raise(int field, long by) {
        set(field, values[field] + by);
    }

    private void set(int field, long value) {
        values[field] = value;
        changed |= 1 << field;
    }
}
