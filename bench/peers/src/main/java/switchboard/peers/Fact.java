package switchboard.peers;

/** What the card needs of a fact. A POJO for Flink, which sends it from the source to the subject's task. */
public final class Fact {
    public String subject;
    public long occurredAt;
    public int seconds;
    public boolean call, in, withheld, amendment;
}
