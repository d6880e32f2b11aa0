//! What does a run do to the server? Workloads that are built in, and commands of the user.

use std::collections::BTreeSet;
use std::time::Duration;

use load_core::error::UsageError;
use load_core::protocol::{OpId, Script, Task, TaskStep};
use load_net::args::wrong;

use super::args::RedisArgs;
use super::command::{Command, Expect, Shape, Word};
use super::protocol::Step as Call;
use super::pubsub::{self, PubSub};
use super::stream::{self, Stream};
use crate::mix::{MixArgs, Step};
use crate::share::{Share, share};

/// Values stay well below the 512 MiB of Redis, for each lane holds one.
const MOST_BYTES: u64 = 16 << 20;
/// A sorted set, or a hash, has at most so many members.
pub const FIELDS: u32 = 10;

/// A workload that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Builtin {
    /// GET of keys that the run has made.
    Get,
    /// SET of keys.
    Set,
    /// Both, by --read-ratio.
    Mixed,
    /// HGET and HSET of one of ten fields.
    Hash,
    /// RPUSH and LPOP, as often as each other.
    List,
    /// ZADD of one of ten members, and ZRANGE of all.
    Zset,
    /// Producers and consumers of one stream.
    Stream,
    /// PUBLISH to subscribers.
    #[value(name = "pubsub")]
    PubSub,
}

/// The kinds of keys by what is in them: what stands between prefix and number.
pub mod kinds {
    /// Texts.
    pub const TEXT: &str = "";
    /// Hashes.
    pub const HASH: &str = "hash:";
    /// Lists.
    pub const LIST: &str = "list:";
    /// Sorted sets.
    pub const ZSET: &str = "zset:";
}

impl Builtin {
    const ALL: [(&'static str, Self); 8] = [
        ("get", Self::Get),
        ("set", Self::Set),
        ("mixed", Self::Mixed),
        ("hash", Self::Hash),
        ("list", Self::List),
        ("zset", Self::Zset),
        ("stream", Self::Stream),
        ("pubsub", Self::PubSub),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, builtin)| *builtin == self).map_or("", |(name, _)| name)
    }

    /// Its users do nothing else.
    fn is_alone(self) -> bool {
        matches!(self, Self::Stream | Self::PubSub)
    }

    /// Its commands with their ops; the one that reads comes first.
    fn commands(self, ttl: Option<Duration>) -> Result<Vec<(&'static str, Command)>, String> {
        use Word::{Key, Text, Value};
        let expires = ttl.map(|ttl| ttl.as_millis().max(1).to_string());
        // What may have expired need not be there.
        let value = if ttl.is_some() { Expect::ValueOrNothing } else { Expect::Value };
        let get = || Command::of(&[Text("GET"), Key(kinds::TEXT)], value);
        let set = || {
            let mut words = vec![Text("SET"), Key(kinds::TEXT), Value];
            if let Some(expires) = &expires {
                words.extend([Text("PX"), Text(expires)]);
            }
            Command::of(&words, Expect::Done)
        };
        Ok(match self {
            Self::Stream | Self::PubSub => Vec::new(),
            Self::Get => vec![("get", get()?)],
            Self::Set => vec![("set", set()?)],
            Self::Mixed => vec![("read", get()?), ("write", set()?)],
            Self::Hash => {
                let field = format!("f{{{{int(0, {})}}}}", FIELDS - 1);
                let field = Text(&field);
                vec![
                    ("hget", Command::of(&[Text("HGET"), Key(kinds::HASH), field], Expect::Value)?),
                    ("hset", Command::of(&[Text("HSET"), Key(kinds::HASH), field, Value], Expect::Number)?),
                ]
            }
            Self::List => vec![
                ("lpop", Command::of(&[Text("LPOP"), Key(kinds::LIST)], Expect::ValueOrNothing)?),
                ("rpush", Command::of(&[Text("RPUSH"), Key(kinds::LIST), Value], Expect::Number)?),
            ],
            Self::Zset => {
                let member = format!("m{{{{int(0, {})}}}}", FIELDS - 1);
                let add = [Text("ZADD"), Key(kinds::ZSET), Text("{{int(0, 1000000)}}"), Text(&member)];
                let range = [Text("ZRANGE"), Key(kinds::ZSET), Text("0"), Text("-1"), Text("WITHSCORES")];
                vec![
                    ("zrange", Command::of(&range, Expect::List)?),
                    ("zadd", Command::of(&add, Expect::Number)?),
                ]
            }
        })
    }

    /// The shares of its commands.
    fn weights(self, mix: MixArgs) -> Vec<(usize, u32)> {
        match self {
            Self::Stream | Self::PubSub => Vec::new(),
            Self::Get | Self::Set => vec![(0, 1)],
            // As many are taken as are put there, so that lists stay short.
            Self::List => vec![(0, 1), (1, 1)],
            Self::Mixed | Self::Hash | Self::Zset => {
                let index = |step| usize::from(step == Step::Write);
                mix.weights().into_iter().map(|(step, weight)| (index(step), weight)).collect()
            }
        }
    }
}

/// For `--workload`.
///
/// # Errors
/// What was expected.
pub fn builtin(text: &str) -> Result<Share<Builtin>, String> {
    let Share { what, weight } = share(text)?;
    let known = Builtin::ALL.iter().find(|(name, _)| *name == what);
    let known = known.ok_or(
        "expected get, set, mixed, hash, list, zset, stream or pubsub, each with @WEIGHT or without",
    )?;
    Ok(Share { what: known.1, weight })
}

/// For `--command`. An `@` without a number behind it belongs to the command.
///
/// # Errors
/// What was expected.
pub fn command(text: &str) -> Result<Share<String>, String> {
    let is_weight = text
        .rsplit_once('@')
        .is_some_and(|(_, weight)| !weight.is_empty() && weight.bytes().all(|byte| byte.is_ascii_digit()));
    let Share { what, weight } = if is_weight { share(text)? } else { Share { what: text, weight: 1 } };
    Command::parse(what)?;
    Ok(Share { what: what.trim().to_owned(), weight })
}

/// Everything that a run does.
pub struct Work {
    /// In the order of the steps of the engine.
    pub commands: Vec<Command>,
    /// Names of the ops.
    pub ops: Vec<String>,
    /// What keys and values are like.
    pub shape: Shape,
    /// Kinds of keys that the calls may make.
    pub kinds: BTreeSet<&'static str>,
    /// Kinds of keys that are there before the run.
    pub filled: Vec<&'static str>,
    /// Producers and consumers, instead of commands.
    pub stream: Option<Stream>,
    /// Publishers and subscribers, instead of commands.
    pub pubsub: Option<PubSub>,
    record: serde_json::Map<String, serde_json::Value>,
}

impl Work {
    /// Nothing: a suite says what is done.
    pub fn none(args: &RedisArgs) -> Self {
        Self {
            commands: Vec::new(),
            ops: Vec::new(),
            shape: Shape { keys: args.keys, spread: args.distribution, size: args.value_size },
            kinds: BTreeSet::new(),
            filled: Vec::new(),
            stream: None,
            pubsub: None,
            record: serde_json::Map::new(),
        }
    }

    /// What `args` ask for, and the script of the engine for it.
    ///
    /// # Errors
    /// What cannot be meant.
    pub fn new(args: &RedisArgs) -> Result<(Self, Script<Call>), UsageError> {
        let mut builtins = args.workloads.clone();
        if builtins.is_empty() && args.commands.is_empty() {
            builtins.push(Share { what: Builtin::Mixed, weight: 1 });
        }
        if args.keys == 0 || args.keys > 1 << 40 {
            return Err(wrong("--keys", "expected at least 1"));
        }
        let mut work = Self::none(args);
        if let Some(alone) = builtins.iter().map(|share| share.what).find(|builtin| builtin.is_alone()) {
            if builtins.len() + args.commands.len() > 1 || args.pipeline > 1 {
                return Err(wrong(
                    &format!("--workload {}", alone.name()),
                    "it cannot be mixed with others, nor with --pipeline; leave them out",
                ));
            }
            work.describe(args, vec![alone.name().to_owned()]);
            if alone == Builtin::PubSub {
                work.record.insert("subscribers".to_owned(), args.pubsub.subscribers.get().into());
                work.ops = pubsub::OPS.map(str::to_owned).into();
                work.pubsub = Some(PubSub::new(args.pubsub));
                return Ok((work, pubsub::script()));
            }
            work.ops = stream::OPS.map(str::to_owned).into();
            work.stream = Some(Stream::new(args.stream.clone(), args.mix));
            return Ok((work, stream::script(args.mix)));
        }
        let mut tasks = Vec::new();
        for Share { what, weight } in &builtins {
            let commands = what.commands(args.ttl).map_err(|why| wrong("--workload", why))?;
            let all: Vec<_> = commands.into_iter().map(|(op, command)| work.add(op, command)).collect();
            let parts = what.weights(args.mix);
            let sum: f64 = parts.iter().map(|(_, part)| f64::from(*part)).sum();
            for (index, part) in parts {
                tasks.push((f64::from(*weight) * f64::from(part) / sum, all[index]));
            }
            match what {
                // With a TTL they are what the run makes of them.
                Builtin::Get | Builtin::Mixed if args.ttl.is_none() => work.filled.push(kinds::TEXT),
                Builtin::Hash => work.filled.push(kinds::HASH),
                _ => {}
            }
        }
        for Share { what, weight } in &args.commands {
            let command = Command::parse(what).map_err(|why| wrong("--command", why))?;
            let index = work.add(what, command);
            tasks.push((f64::from(*weight), index));
        }
        work.filled.sort_unstable();
        work.filled.dedup();
        let named = |share: &Share<Builtin>| format!("{}@{}", share.what.name(), share.weight);
        let user = |share: &Share<String>| format!("{}@{}", share.what, share.weight);
        let workload: Vec<_> = builtins.iter().map(named).chain(args.commands.iter().map(user)).collect();
        work.describe(args, workload);
        Ok((work, Script::of(scaled(&tasks))))
    }

    /// Adds a command under the name `op`; its index, with that of the op.
    fn add(&mut self, op: &str, command: Command) -> (usize, OpId) {
        let op_id = self.ops.iter().position(|known| known == op).unwrap_or_else(|| {
            self.ops.push(op.to_owned());
            self.ops.len() - 1
        });
        self.kinds.extend(command.kinds());
        self.commands.push(command);
        (self.commands.len() - 1, op_id as OpId)
    }

    fn describe(&mut self, args: &RedisArgs, workload: Vec<String>) {
        let (least, most) = self.shape.size;
        let size = if least == most { least.into() } else { format!("{least}..{most}").into() };
        let mut set = |key: &str, value: serde_json::Value| self.record.insert(key.to_owned(), value);
        set("workload", workload.into());
        set("keys", self.shape.keys.into());
        set("distribution", self.shape.spread.to_string().into());
        set("value_size", size);
        set("read_ratio", args.mix.read_ratio.into());
        if let Some(ttl) = args.ttl {
            set("ttl_ms", (ttl.as_millis().max(1) as u64).into());
        }
    }

    /// For the record.
    pub fn record(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.record
    }
}

/// Tasks of whole weights: shares, each with the index of a command and of its op.
fn scaled(shares: &[(f64, (usize, OpId))]) -> Vec<Task<Call>> {
    // The smallest part of a ratio is a millionth.
    let most = shares.iter().map(|(share, _)| *share).fold(f64::MIN_POSITIVE, f64::max);
    let whole = |share: f64| (share / most * 1e6).round().max(1.0) as u32;
    let task = |(share, (index, op)): &(f64, _)| {
        Task::new(whole(*share), vec![TaskStep::new(*op, Call::Command(*index))])
    };
    shares.iter().map(task).collect()
}

/// For `--value-size`.
///
/// # Errors
/// What was expected.
pub fn size(text: &str) -> Result<(u32, u32), String> {
    let one = |text: &str| {
        let size = load_suite::units::count(text).ok().filter(|size| *size <= MOST_BYTES);
        size.and_then(|size| u32::try_from(size).ok())
            .ok_or_else(|| format!("expected at most {MOST_BYTES}, or two such numbers as 100..4000"))
    };
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (one(least)?, one(most)?);
    if least > most {
        Err("expected the smaller number first, as in 100..4000".into())
    } else {
        Ok((least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_a_number_behind_the_last_at() {
        let parsed = |text| command(text).map(|share| (share.what, share.weight));
        assert_eq!(parsed("GET a@7"), Ok(("GET a".into(), 7)));
        assert_eq!(parsed("GET me@home"), Ok(("GET me@home".into(), 1)));
        assert_eq!(parsed("GET 'a@7'"), Ok(("GET 'a@7'".into(), 1)));
        assert!(command("GET a@0").is_err() && command("@7").is_err());
    }

    #[test]
    fn sizes_are_one_number_or_two() {
        assert_eq!(size("100"), Ok((100, 100)));
        assert_eq!(size("10..4k"), Ok((10, 4_000)));
        assert!(size("5..4").is_err() && size("1g").is_err() && size("x").is_err());
    }

    #[test]
    fn shares_become_whole_weights() {
        let tasks = scaled(&[(0.8, (0, 0)), (0.2, (1, 1)), (1.0, (2, 2))]);
        assert_eq!(tasks.iter().map(|task| task.weight).collect::<Vec<_>>(), [800_000, 200_000, 1_000_000]);
    }
}
