package switchboard.peers;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/**
 * Reads facts as Avro's Java library does best: a reader schema with the few fields that the card needs, so that all others are skipped, and decoder and
 * record used again. It is for one thread.
 */
final class Decoder {
    private static final List<String> WANTED = List.of("subject", "occurred_at", "counterpart", "direction", "duration_s");

    private static final class Kind {
        GenericDatumReader<GenericData.Record> reader;
        GenericData.Record record;
        int subject, occurredAt, counterpart, direction, seconds;
        boolean call, amendment;
    }

    private final Map<Long, Kind> kinds = new HashMap<>();
    private BinaryDecoder binary;
    private Kind last; // most facts are of the kind of the one before, or of the other
    private long lastFingerprint;

    Decoder() {
        for (String name : List.of("call_reported", "text_reported", "call_report_amended")) {
            Schema writer = schema(name + ".v1.avsc");
            List<Schema.Field> fields = new ArrayList<>();
            for (Schema.Field f : writer.getFields()) if (WANTED.contains(f.name())) fields.add(new Schema.Field(f, f.schema()));
            Schema wanted = Schema.createRecord(writer.getName(), null, writer.getNamespace(), false, fields);
            Kind k = new Kind();
            k.reader = new GenericDatumReader<>(writer, wanted);
            k.record = new GenericData.Record(wanted);
            k.subject = wanted.getField("subject").pos();
            k.occurredAt = wanted.getField("occurred_at").pos();
            k.counterpart = wanted.getField("counterpart").pos();
            k.direction = wanted.getField("direction").pos();
            k.seconds = wanted.getField("duration_s") == null ? -1 : wanted.getField("duration_s").pos();
            k.call = !name.startsWith("text");
            k.amendment = name.endsWith("amended");
            kinds.put(SchemaNormalization.parsingFingerprint64(writer), k);
        }
    }

    private static Schema schema(String file) {
        try (InputStream in = Decoder.class.getResourceAsStream("/" + file)) {
            return new Schema.Parser().parse(in);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    Fact decode(byte[] value) throws IOException {
        long fingerprint = 0;
        for (int i = 0; i < 8; i++) fingerprint |= (value[2 + i] & 0xffL) << (8 * i);
        if (last == null || fingerprint != lastFingerprint) {
            last = kinds.get(fingerprint);
            lastFingerprint = fingerprint;
        }
        Kind k = last;
        if (value[0] != (byte) 0xC3 || value[1] != 1 || k == null) throw new IOException("no fact of ours");
        binary = DecoderFactory.get().binaryDecoder(value, 10, value.length - 10, binary);
        k.record = k.reader.read(k.record, binary);
        Fact f = new Fact();
        f.subject = k.record.get(k.subject).toString();
        f.occurredAt = (Long) k.record.get(k.occurredAt);
        f.in = "in".equals(k.record.get(k.direction).toString());
        Object counterpart = k.record.get(k.counterpart);
        f.withheld = counterpart == null || "withheld".contentEquals((CharSequence) counterpart) || counterpart.toString().isEmpty();
        f.seconds = k.seconds < 0 || !k.call ? 0 : (Integer) k.record.get(k.seconds);
        f.call = k.call;
        f.amendment = k.amendment;
        return f;
    }
}
