package switchboard.peers;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams, exactly_once_v2, a commit each 100 ms, with its default store (RocksDB) and the cache in front of it. The topic is partitioned by subject already, so that
 * nothing has to be partitioned again. What it writes to Redis is outside of its transactions, hence at least once there.
 */
final class StreamsPeer {
    private static final String STORE = "cards";

    static void run() throws Exception {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, Peer.env("GROUP"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, Peer.env("BROKERS"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, Peer.env("REPLICATION"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("peer-streams").toString());
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        p.put("auto.offset.reset", "earliest");
        p.put("fetch.max.bytes", 16 << 20);
        p.put("max.partition.fetch.bytes", 4 << 20);
        p.put("max.poll.records", 5000);
        Topology t = new Topology();
        t.addSource("facts", new ByteArrayDeserializer(), new ByteArrayDeserializer(), Peer.env("TOPIC"));
        t.addProcessor("fold", Fold::new, "facts");
        t.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), cardSerde()).withCachingEnabled(), "fold");
        KafkaStreams streams = new KafkaStreams(t, p);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        Thread.currentThread().join();
    }

    static final class Fold implements Processor<byte[], byte[], Void, Void> {
        private final Decoder decoder = new Decoder();
        private KeyValueStore<String, Card> store;
        private Cards cards;

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            store = context.getStateStore(STORE);
            cards = new Cards(context.taskId().toString());
            context.schedule(Duration.ofMillis(Cards.MOST_MS), PunctuationType.WALL_CLOCK_TIME, now -> cards.flush());
        }

        @Override
        public void process(Record<byte[], byte[]> r) {
            try {
                Fact f = decoder.decode(r.value());
                Card known = cards.dirty(f.subject); // what waits to be written is newer than nothing, and saves reading the store
                Card card = known != null ? known : store.get(f.subject);
                if (card == null) card = new Card();
                card.add(f);
                store.put(f.subject, card);
                cards.changed(f.subject, card);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        @Override
        public void close() {
            cards.flush();
            cards.close();
        }
    }

    private static Serde<Card> cardSerde() {
        Serializer<Card> to = (topic, card) -> {
            ByteBuffer b = ByteBuffer.allocate(8 * Card.NAMES.length);
            for (long v : card.values) b.putLong(v);
            return b.array();
        };
        Deserializer<Card> from = (topic, bytes) -> {
            Card card = new Card();
            ByteBuffer b = ByteBuffer.wrap(bytes);
            for (int i = 0; i < card.values.length; i++) card.values[i] = b.getLong();
            return card;
        };
        return Serdes.serdeFrom(to, from);
    }
}
