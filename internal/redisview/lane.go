package redisview

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchboard/internal/pipeline"
	"switchboard/internal/view"
)

// Lane is an open lane: one dedicated connection, used by one goroutine.
type Lane struct {
	client *redis.Client
	conn   *redis.Conn
	prefix string
	pos    string // its key
	token  string // of our claim; "" before
	next   int64  // as Open found it

	commands commands
}

// Open opens a lane's connection and watches its position.
func (c *Client) Open(ctx context.Context, id pipeline.LaneID) (pipeline.Store, pipeline.Pos, bool, error) {
	client, conn, err := c.dedicated(ctx, PosKey(id))
	if err != nil {
		return nil, pipeline.Pos{}, false, err
	}
	l := &Lane{client: client, conn: conn, prefix: Prefix(id), pos: PosKey(id)}
	pos, found, err := l.watch(ctx)
	if err != nil {
		l.Close()
		c.findNodes(ctx)
		return nil, pos, false, err
	}
	l.next = pos.Next
	return l, pos, found, nil
}

func (l *Lane) watch(ctx context.Context) (pos pipeline.Pos, found bool, err error) {
	pipe := l.conn.Pipeline()
	pipe.Do(ctx, "WATCH", l.pos)
	all := pipe.HGetAll(ctx, l.pos)
	if _, err := pipe.Exec(ctx); err != nil {
		return pos, false, err
	}
	pos, err = parsePos(all.Val())
	return pos, len(all.Val()) > 0, err
}

// Close closes the connection; it is never given back to a pool.
func (l *Lane) Close() {
	_ = l.conn.Close()
	_ = l.client.Close()
}

// Claim writes a token into the position.
func (l *Lane) Claim(ctx context.Context, token string) (pipeline.Outcome, error) {
	l.token = token
	t := l.begin(ctx)
	t.do("HSET", l.pos, "owner", token, "part", 0)
	return t.commit(l.next, 0)
}

// MarkBroken notes in the position why the generation must be rebuilt.
func (l *Lane) MarkBroken(ctx context.Context, why string) error {
	return l.conn.HSet(ctx, l.pos, "broken", why).Err()
}

// pipelineCommands bounds a pipeline: about 1,000 commands ran faster than 5,000.
const pipelineCommands = 1000

// Load reads fields of hashes.
func (l *Lane) Load(ctx context.Context, reads []view.Read) ([][]view.Value, error) {
	values := make([][]view.Value, 0, len(reads))
	for len(reads) > 0 {
		slice := reads[:min(len(reads), pipelineCommands)]
		reads = reads[len(slice):]
		pipe := l.conn.Pipeline()
		replies := make([]*redis.SliceCmd, len(slice))
		for i := range slice {
			replies[i] = pipe.HMGet(ctx, l.prefix+slice[i].Key, slice[i].Fields...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			if isReply(err) && strings.HasPrefix(err.Error(), "WRONGTYPE") {
				err = fmt.Errorf("%w: %w", pipeline.ErrDamaged, err)
			}
			return nil, err
		}
		for _, r := range replies {
			values = append(values, valuesOf(r.Val()))
		}
	}
	return values, nil
}

func valuesOf(reply []any) []view.Value {
	values := make([]view.Value, len(reply))
	for i, v := range reply {
		if text, ok := v.(string); ok {
			values[i] = view.Value{Text: text, OK: true}
		}
	}
	return values
}

// Commit writes a chunk in one trip: the transaction, the WATCH that arms the next one, and the proof that nothing has
// changed the position in between.
func (l *Lane) Commit(ctx context.Context, c *pipeline.Chunk) (pipeline.Outcome, error) {
	t := l.begin(ctx)
	defer l.commands.release()
	for i := range c.Mutations {
		t.mutate(&c.Mutations[i])
	}
	t.do(append([]any{"HSET", l.pos}, chunkFields(c)...)...)
	if c.Last() {
		return t.commit(c.Progress.Next, 0)
	}
	return t.commit(c.Before, c.Part)
}

// transaction is one trip of a claim or a chunk.
type transaction struct {
	lane *Lane
	ctx  context.Context
	pipe redis.Pipeliner
}

func (l *Lane) begin(ctx context.Context) *transaction {
	t := &transaction{lane: l, ctx: ctx, pipe: l.conn.Pipeline()}
	t.do("MULTI")
	return t
}

func (t *transaction) do(args ...any) { t.pipe.Do(t.ctx, args...) }

// opNames are the commands of view.Op, as arguments.
var opNames = [...]any{view.SetFields: "HSET", view.DropFields: "HDEL", view.SetScores: "ZADD", view.DropMembers: "ZREM"}

// mutate gives pointers to go-redis, since a string in an interface is an allocation and a pointer is none.
// A catch-up allocated 37 objects an event before, 27 since.
func (t *transaction) mutate(m *view.Mutation) {
	key := t.lane.prefix + m.Key
	cmd := t.lane.commands.take(t.ctx, 2+len(m.Args))
	args := cmd.Args()
	args[0], args[1] = opNames[m.Op], &key
	for i := range m.Args {
		args[2+i] = &m.Args[i]
	}
	_ = t.pipe.Process(t.ctx, cmd) // only queues
}

// commit sends the transaction. It is applied only when EXEC returned results and the position holds exactly our token, next
// (-1: none) and part.
func (t *transaction) commit(next int64, part int) (pipeline.Outcome, error) {
	exec := t.pipe.Do(t.ctx, "EXEC")
	watch := t.pipe.Do(t.ctx, "WATCH", t.lane.pos)
	proof := t.pipe.HMGet(t.ctx, t.lane.pos, "owner", "next", "part")
	cmds, _ := t.pipe.Exec(t.ctx) // the error of the first command: each is looked at below
	results, err := exec.Slice()
	switch {
	case errors.Is(err, redis.Nil):
		if proof.Err() != nil {
			return pipeline.Aborted, proof.Err()
		}
	case isReply(err):
		return pipeline.Aborted, fmt.Errorf("%w%s", err, firstRefusal(cmds))
	case err != nil:
		return pipeline.Unknown, err
	}
	for _, r := range results {
		if failed, ok := r.(error); ok {
			return pipeline.Failed, failed
		}
	}
	if err == nil {
		if refused := firstRefusal(cmds); refused != "" { // miniredis goes on after an error at queueing
			return pipeline.Failed, errors.New(refused)
		}
	}
	if e := errors.Join(watch.Err(), proof.Err()); e != nil {
		if isReply(watch.Err()) || isReply(proof.Err()) {
			return pipeline.Aborted, e
		}
		return pipeline.Unknown, e
	}
	return t.verdict(err == nil, valuesOf(proof.Val()), next, part)
}

// verdict reads the proof behind EXEC.
func (t *transaction) verdict(executed bool, proof []view.Value, next int64, part int) (pipeline.Outcome, error) {
	wanted := ""
	if next >= 0 {
		wanted = strconv.FormatInt(next, 10)
	}
	if executed && proof[0].Text == t.lane.token && proof[1].Text == wanted && proof[2].Text == strconv.Itoa(part) {
		return pipeline.Applied, nil
	}
	if proof[0].OK && proof[0].Text != t.lane.token {
		return pipeline.Fenced, fmt.Errorf("owner is %s, we are %s", proof[0].Text, t.lane.token)
	}
	return pipeline.Moved, fmt.Errorf("the position is at next %q part %q, we had written %q and %d", proof[1].Text, proof[2].Text, wanted, part)
}

// isReply tells an error that Redis answered from a connection that failed.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, redis.Nil)
}

// firstRefusal is the first command inside the transaction that was refused at queueing: EXECABORT alone does not say why.
func firstRefusal(cmds []redis.Cmder) string {
	for _, c := range cmds {
		if name := c.Name(); name == "exec" {
			break
		}
		if isReply(c.Err()) {
			return ": " + c.Err().Error()
		}
	}
	return ""
}
