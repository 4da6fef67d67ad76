// Package replay tries what an operator does to a running installation, and what happens to its log: resets by the stock tool, lost and
// truncated logs, recreated topics, rollbacks. Everything ends with read models that are the fold of the log as it is now.
//
// The rules of a reset (pipeline.Decide, whose own test has every row and edge), and the tests of them. "both" is kfake with miniredis, and a stock
// Kafka with a redis-server, where resets are those of kafka-consumer-groups.
//
//	 1  topic made anew: stops; adopted          TestRecreatedTopic            both
//	    the same under a processor, no restart   TestRecreatedUnderAProcessor  both
//	    another number of partitions             TestMorePartitions            both
//	 2  a build goes on after its process ended  TestCrashInTheMiddle          real; with --describe
//	    a reset during a build                   TestResetDuringBuild          both
//	    asked for by the command line            TestReplayRun, TestRollback   both
//	 3  Redis is empty                           TestRestore                   both
//	 4  the log is shorter, or written over      TestTruncated                 real, a broker of its own
//	 5  deleted unread: stops; what is left      TestDeletedHead               both
//	 6  another version of the fold              tests/scale.TestRule6 (real; a rolling update of processes)
//	 7  the offset is ours                       every start after a halt      both
//	 8  rewound: to the start                    TestRewind                    both
//	    to an instant, an offset, by a distance,
//	    all partitions or one                    TestStockResets               real
//	    into the middle, from a snapshot         TestRestore                   both
//	    where nothing covers it: refused         TestRefusals                  both
//	 9  offsets or group deleted                 TestGroupIsNoPosition         both
//	10  forward: nothing is skipped              TestResetForward              both
//	11  another program in the group: refused    TestRefusals                  both
//
// What is left behind is deleted in its time: TestOldGenerationsGo (both).
package replay
