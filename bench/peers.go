package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// measurePeers folds the card's figures, the smallest read model, with Flink, with Kafka Streams and with ours, each over a log of its own with
// the same events. bench/peers holds the programs; what they write is compared with what ours does.
func measurePeers(ctx context.Context, b *bench) error {
	java, classPath, err := buildPeers(ctx)
	if err != nil {
		return err
	}
	past, err := newCorpus(newReporter(b.events, b.subscribers, 0), b.events, b.servers.partitions)
	if err != nil {
		return err
	}
	n := int(120_000 * (2*b.warmUp() + b.seconds).Seconds())
	future, err := newCorpus(newReporter(n, b.subscribers, weeks), n, b.servers.partitions)
	if err != nil {
		return err
	}
	var sample []string
	for i := range min(200, b.subscribers) {
		sample = append(sample, phone(i*max(1, b.subscribers/200)))
	}
	program := func(name string) []string {
		command := []string{java, "-Xms1g", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"}
		for _, p := range []string{"java.lang", "java.util", "java.time", "java.util.concurrent"} { // what Flink opens in its own start scripts
			command = append(command, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
		}
		return append(command, "-cp", classPath, "switchboard.peers.Peer", name)
	}
	environ := func(t *site) []string {
		return append(os.Environ(), "PEER_BROKERS="+strings.Join(t.brokers, ","), "PEER_TOPIC="+t.topic(), "PEER_REDIS="+t.redis.Options().Addr,
			"PEER_GROUP="+t.prefix+"peer", "PEER_PREFIX=peer:", fmt.Sprint("PEER_PARTITIONS=", t.partitions), fmt.Sprint("PEER_REPLICATION=", min(len(t.brokers), 3)))
	}
	const small = "SWITCHBOARD_PROCESSOR_DUPLICATES=off"
	results := map[string]*contest{}
	for _, c := range []*contender{
		ours("ours", "SWITCHBOARD_PROCESSOR_VIEWS=card", small),
		ours("ours with exact duplicates", "SWITCHBOARD_PROCESSOR_VIEWS=card,timeline"),
		peer("Flink", program("flink"), environ),
		peer("Kafka Streams", program("kafka-streams"), environ),
	} {
		b.say("peers: %s", c.name)
		r, err := b.compete(ctx, c, past, future, sample)
		if err != nil {
			return err
		}
		results[c.name] = &r
		r.CardsDiffer = differ(results["ours"].cards, r.cards)
		b.say("peers: %s: first write %.0f ms, catching up %s events/s (second half %s), live %s", c.name, r.StartMs, number(r.CatchUp), number(r.SecondHalf), number(r.Live))
		b.peerRows(c.name, results["ours"], &r, len(sample))
	}
	b.peerRatios(results["ours"], results["Flink"], results["Kafka Streams"])
	return b.details("peers", results)
}

func (b *bench) peerRows(name string, ours, r *contest, sample int) {
	by := fmt.Sprintf("while live: its process %.2f cores, Redis %.2f, of %d with Kafka and the producer", r.OwnCPU, r.RedisCPU, cores())
	b.add(
		figure("card alone, "+name+", catching up", r.CatchUp, "events/s", fmt.Sprintf("%s over the second half; %.1f s from the start of the process", number(r.SecondHalf), r.CatchUpSecondsAll)),
		figure("card alone, "+name+", live", r.Live, "events/s", by),
		figure("card alone, "+name+", peak memory", float64(r.PeakBytes)/(1<<20), "MiB", ""),
	)
	if start := "card alone, " + name + ", start to first write"; strings.HasPrefix(name, "ours") {
		b.add(below(start, r.StartMs, "ms", 1000, "joining the group, then a small first batch"))
	} else {
		b.add(figure(start, r.StartMs, "ms", ""))
	}
	if r != ours {
		b.add(below("cards of "+name+" that differ from ours", float64(r.CardsDiffer), "cards", 0, fmt.Sprintf("of %d", sample)))
	}
}

func (b *bench) peerRatios(ours, flink, streams *contest) {
	b.add(
		against("ours to Flink, live", ours.Live, "events/s", flink.Live, 2, "card alone, ours exactly once, Flink at least once in Redis"),
		against("ours to Kafka Streams, live", ours.Live, "events/s", streams.Live, 4, "likewise"),
		against("ours to Flink, catching up", ours.CatchUp, "events/s", flink.CatchUp, 3, "from taking the first event"),
		beside("ours to Flink, catching up, second half", ours.SecondHalf, "events/s", flink.SecondHalf, "with what Java has compiled by then"),
		beside("ours to Kafka Streams, catching up", ours.CatchUp, "events/s", streams.CatchUp, "from taking the first event"),
	)
}

// buildPeers finds Java, and compiles the peers where that was not done before.
func buildPeers(ctx context.Context) (java, classPath string, err error) {
	ask := func(name string, args ...string) string {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stderr = os.Stderr
		out, failed := cmd.Output()
		if failed != nil && err == nil {
			err = fmt.Errorf("%s: %w", name, failed)
		}
		return strings.TrimSpace(string(out))
	}
	java, classPath = ask("deploy/local/install", "java"), ask("bench/peers/build")
	return java, classPath, err
}

func startPeer(ctx context.Context, command, environ []string) (*child, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = environ
	return startChild(cmd)
}
