package switchboard.peers;

import java.io.IOException;
import java.nio.file.Files;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.LocalStreamEnvironment;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Flink with what its documentation advises for speed: state on the heap, object reuse, checkpoints each second that are aligned and go to files, and the sink chained to
 * the state, so that a card is never copied between them. Its sink is at least once: after a failure, cards show again what they showed before.
 */
final class FlinkPeer {
    static void run() throws Exception {
        Configuration c = new Configuration();
        c.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        c.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        c.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Files.createTempDirectory("peer-flink").toUri().toString());
        c.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(256));
        c.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(256));
        LocalStreamEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(Integer.parseInt(Peer.env("PARTITIONS")), c);
        env.getConfig().enableObjectReuse();
        env.enableCheckpointing(1000);
        env.setBufferTimeout(5);
        KafkaSource<Fact> source = KafkaSource.<Fact>builder()
            .setBootstrapServers(Peer.env("BROKERS"))
            .setTopics(Peer.env("TOPIC"))
            .setGroupId(Peer.env("GROUP"))
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new Facts())
            .setProperty("fetch.max.bytes", "16777216").setProperty("max.partition.fetch.bytes", "4194304").setProperty("max.poll.records", "5000")
            .build();
        env.fromSource(source, WatermarkStrategy.noWatermarks(), "facts")
            .keyBy(f -> f.subject)
            .process(new Fold())
            .sinkTo(new RedisSink());
        env.execute("peer");
    }

    static final class Facts implements DeserializationSchema<Fact> {
        private transient Decoder decoder;

        @Override
        public Fact deserialize(byte[] value) throws IOException {
            if (decoder == null) decoder = new Decoder();
            return decoder.decode(value);
        }

        @Override
        public boolean isEndOfStream(Fact f) {
            return false;
        }

        @Override
        public TypeInformation<Fact> getProducedType() {
            return TypeInformation.of(Fact.class);
        }
    }

    static final class Fold extends KeyedProcessFunction<String, Fact, Tuple2<String, Card>> {
        private transient ValueState<Card> state;
        private transient Tuple2<String, Card> out;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("card", Card.class));
            out = new Tuple2<>();
        }

        @Override
        public void processElement(Fact f, Context context, Collector<Tuple2<String, Card>> to) throws Exception {
            Card card = state.value();
            if (card == null) card = new Card();
            card.add(f);
            state.update(card);
            out.f0 = f.subject;
            out.f1 = card;
            to.collect(out);
        }
    }

    static final class RedisSink implements Sink<Tuple2<String, Card>> {
        @Override
        public SinkWriter<Tuple2<String, Card>> createWriter(WriterInitContext context) {
            return new Writer(context);
        }
    }

    static final class Writer implements SinkWriter<Tuple2<String, Card>> {
        private final Cards cards;
        private final WriterInitContext context;

        Writer(WriterInitContext context) {
            this.context = context;
            cards = new Cards(Integer.toString(context.getTaskInfo().getIndexOfThisSubtask()));
            later();
        }

        private void later() {
            long at = context.getProcessingTimeService().getCurrentProcessingTime() + Cards.MOST_MS;
            context.getProcessingTimeService().registerTimer(at, now -> {
                cards.flush();
                later();
            });
        }

        @Override
        public void write(Tuple2<String, Card> card, Context context) {
            cards.changed(card.f0, card.f1);
        }

        @Override
        public void flush(boolean endOfInput) {
            cards.flush();
        }

        @Override
        public void close() {
            cards.close();
        }
    }
}
