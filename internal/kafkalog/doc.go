// Package kafkalog is the log: appending to it, reading it as a member of a consumer group or without
// one, asking the brokers about it, and making its topics. It is the only home of franz-go.
//
// # Goroutines of a Consumer
//
//   - The poller (Consumer.poll) alone calls PollRecords, PauseFetchPartitions, ResumeFetchPartitions and
//     SetOffsets, all between a poll and AllowRebalance, so that no callback of the group runs meanwhile.
//     It never waits for a lane: what lanes want is state of their Partition, which the poller brings
//     about between two polls (reconcile); wake ends the poll that is under way.
//   - The group (franz-go's goroutine) runs the callbacks in group.go. They alone add and remove partitions,
//     and start and end lanes. Revoked and lost partitions are given up when their lanes have returned.
//   - A lane, one goroutine for each partition, runs the function given to Run. It talks to its Partition only:
//     Take, SeekTo, Report, Check.
//   - The committer (Consumer.commitReports) sends reports to the group.
//   - Consumer.revive asks the brokers now and then, and leaves in a Partition what the poller is to do about it.
//
// Consumer.mu guards the set of partitions, Partition.mu the mailbox of one. Neither is held while
// another is taken, nor during a request.
//
// # Runs
//
// A seek makes a new run of its partition. The poller notes the run once the client has been told the new
// offset; what a poll returns while the noted run is not the lane's is dropped. The client forgets at
// a seek what it had buffered, but not the errors it found before: such an error may cost a lane one more claim.
//
// # Not obvious
//
//   - SetOffsets of franz-go 1.22 does nothing if it believes that the partition is at that offset. It is wrong
//     after data loss, after an offset out of range and after a batch that is too large: the poller
//     therefore seeks to another offset first, while the partition is paused.
//   - When a batch is too large, franz-go 1.22 stops the partition as soon as it has fetched it. A seek of another partition before that fetch is polled
//     drops the fetch and the error with it, and the partition stands still for ever: Consumer.revive asks the
//     brokers where nothing comes, and seeks again. A seek drops what is being fetched for all partitions, so that one that is only slow
//     must be given ever more time.
//   - A commit that finds our membership gone (session expired) makes franz-go 1.22 join again with what it had, without any
//     callback if it gets the same again. Lanes that a lease check has ended are therefore started anew when
//     the next session begins (Consumer.renew).
//   - franz-go 1.22 keeps the topic id that it saw first. When a topic was deleted and made again, the Consumer therefore leaves the
//     group and joins it with a new client: when a lease check is answered with UNKNOWN_TOPIC_ID (commits go by id since Kafka 4.1) or, with
//     brokers that commit by name, when the fetches of a lane that goes on all the same fail (Consumer.member, Consumer.isOld).
//   - A newly assigned partition is given offset 0 and paused. Nothing is fetched there, and a group offset
//     that is missing or out of range has no effect before the lane has decided where to begin.
//   - An idle broker answers a fetch after FetchMaxWait, and a resumed partition is asked for in the
//     next fetch: FetchMaxWait bounds how late it resumes. A seek starts new fetches at once.
//   - All that is buffered is polled at once. It is in memory already, and records and error of a partition stay
//     together: PollRecords with a limit returns an error before the records that lie in front of it.
package kafkalog
