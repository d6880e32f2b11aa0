//! Does every workload run over each make of server that is there?

use crate::nodes::{Node, PASSWORD, makes};
use crate::support::{Tool, keys};

#[test]
fn all_workloads_run_over_every_make() {
    for make in makes() {
        let node = Node::start(make, &[]);
        for line in [
            "--workload get@2,set,hash,list,zset -n 2000",
            "--workload mixed --pipeline 16 --resp3 -n 500",
            "--workload set --ttl 10s --multiplex 4 -c 2 -n 2000",
            "--workload stream --read-ratio 0.5 -d 1s",
            "--workload stream --read-ratio 0.5 --resp3 --claim 1s -d 1s",
            "--workload pubsub --subscribers 3 --threads 1 -d 1s",
        ] {
            let tool = Tool::new("redis", &node.url());
            let left = tool.run(&format!("-u 8 --keys 200 {line}"));
            assert_eq!(left.code, 0, "{make} {line}: {} {}", left.stdout, left.stderr);
            assert_eq!(left.counter("commands_failed"), 0, "{make} {line}");
            for lost in ["stream_missing", "stream_duplicates", "pubsub_lost", "pubsub_missed"] {
                let counter = left.run().counters.iter().find(|counter| counter.name == lost);
                assert!(counter.is_none_or(|counter| counter.count == 0), "{make} {line}: {counter:?}");
            }
            assert_eq!(keys(&mut node.redis()), 0, "{make} {line}");
            tool.keeps(&[PASSWORD], &left);
        }
    }
}
