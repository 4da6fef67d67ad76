package switchboard.peers;

import java.time.Instant;
import java.util.concurrent.atomic.AtomicBoolean;

/** A peer is a child of the bench: it tells in lines of JSON what happens, and ends when its standard input does. */
public final class Peer {
    private static final AtomicBoolean began = new AtomicBoolean();

    public static void main(String[] args) throws Exception {
        Thread end = new Thread(() -> {
            try {
                System.in.transferTo(java.io.OutputStream.nullOutputStream());
            } catch (java.io.IOException e) {
                // as good as its end
            }
            tell("ended");
            Runtime.getRuntime().halt(0);
        });
        end.setDaemon(true);
        end.start();
        switch (args[0]) {
            case "flink" -> FlinkPeer.run();
            case "kafka-streams" -> StreamsPeer.run();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static String env(String name) {
        String value = System.getenv("PEER_" + name);
        if (value == null) throw new IllegalStateException("PEER_" + name + " is not set");
        return value;
    }

    /** Tells once that the first event has come. */
    static void consuming() {
        if (began.compareAndSet(false, true)) tell("consuming");
    }

    private static synchronized void tell(String what) {
        System.out.println("{\"What\":\"" + what + "\",\"At\":\"" + Instant.now() + "\"}");
        System.out.flush();
    }
}
