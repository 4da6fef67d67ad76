package switchboard.peers;

import java.util.HashMap;
import java.util.Map;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;

/**
 * Cards that differ from what Redis has, of one task. Each is written once however many of its events came in between, the fields that changed alone, all cards in
 * one pipeline; then how many events of this task can be seen.
 */
final class Cards implements AutoCloseable {
    static final int MOST_EVENTS = 5_000;
    static final long MOST_MS = 50;

    private final Jedis redis = new Jedis(Peer.env("REDIS").split(":")[0], Integer.parseInt(Peer.env("REDIS").split(":")[1]));
    private final String prefix = Peer.env("PREFIX"), task;
    private final Map<String, Card> dirty = new HashMap<>();
    private long events, written;
    private int waiting;

    Cards(String task) {
        this.task = task;
    }

    void changed(String subject, Card card) {
        if (events++ == 0) Peer.consuming();
        waiting++;
        dirty.put(subject, card);
        if (waiting >= MOST_EVENTS) flush();
    }

    /** A card that waits to be written; null: none of this subject. */
    Card dirty(String subject) {
        return dirty.get(subject);
    }

    void flush() {
        if (events == written) return;
        try (Pipeline p = redis.pipelined()) {
            for (Map.Entry<String, Card> e : dirty.entrySet()) {
                Card c = e.getValue();
                Map<String, String> fields = new HashMap<>(16);
                for (int i = 0; i < Card.NAMES.length; i++) {
                    if ((c.changed & 1 << i) != 0) fields.put(Card.NAMES[i], Long.toString(c.values[i]));
                }
                c.changed = 0;
                p.hset(prefix + "card:" + e.getKey(), fields);
            }
            p.hset(prefix + "events", task, Long.toString(events));
            p.sync();
        }
        written = events;
        waiting = 0;
        dirty.clear();
    }

    @Override
    public void close() {
        redis.close();
    }
}
