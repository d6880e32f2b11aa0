//! How are several asked at one time? The protocol's own target and all sources beside it, none of which keeps the others waiting.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use load_report::gauge::GaugePlan;

use super::source::{Memory, Source};
use super::{Look, Reading, Sampler};
use crate::clock::{Clock, Nanos};

/// Whoever has not answered by then has nothing to say this time.
const PATIENCE: Nanos = Nanos(2_000_000_000);

/// Asks all of them.
pub(crate) struct Together {
    own: Option<Own>,
    others: Vec<Other>,
    clock: Clock,
}

/// The protocol's own.
struct Own {
    sampler: Box<dyn Sampler>,
    gauges: usize,
    missed: Missed,
}

struct Other {
    source: Source,
    memories: Vec<Memory>,
    /// What the last answer did not have.
    missing: Vec<String>,
    missed: Missed,
}

/// Looks at which one of several did not answer.
#[derive(Default)]
struct Missed {
    times: u64,
    why: Option<String>,
}

impl Together {
    /// Asks `own` for `gauges` and then each of `others`. The protocol's own alone is asked as it is.
    pub(crate) fn of(
        own: Option<Box<dyn Sampler>>,
        gauges: &[GaugePlan],
        others: &[Source],
        clock: &Clock,
    ) -> Option<Box<dyn Sampler>> {
        if others.is_empty() {
            return own;
        }
        let own = own.map(|sampler| Own { sampler, gauges: gauges.len(), missed: Missed::default() });
        let other = |source: &Source| Other {
            source: source.clone(),
            memories: source.memories(),
            missing: Vec::new(),
            missed: Missed::default(),
        };
        let others = others.iter().map(other).collect();
        Some(Box::new(Self { own, others, clock: clock.clone() }))
    }
}

impl Sampler for Together {
    fn look(&mut self) -> Look<'_> {
        Box::pin(async {
            let Self { own, others, clock } = self;
            let mine = async {
                match own {
                    Some(own) => Some(in_time(clock, own.sampler.look()).await),
                    None => None,
                }
            };
            let theirs = join_all(others.iter().map(|other| in_time(clock, other.source.ask())));
            let (mine, theirs) = futures_util::future::join(mine, theirs).await;
            let answered = matches!(mine, Some(Ok(_))) || theirs.iter().any(Result::is_ok);
            let mut reasons = Vec::new();
            let mut all = Vec::new();
            if let (Some(own), Some(answer)) = (own, mine) {
                let readings = own.missed.note(answer, answered, &mut reasons);
                all.extend(readings.unwrap_or_else(|| vec![Reading::Unknown; own.gauges]));
            }
            for (other, answer) in others.iter_mut().zip(theirs) {
                let answer = answer.map_err(|why| format!("{}: {why}", other.source.label()));
                let readings = match other.missed.note(answer, answered, &mut reasons) {
                    Some(answer) => {
                        let readings = other.source.readings(&answer, &mut other.memories);
                        other.missing = other.source.missing(&readings);
                        readings
                    }
                    None => vec![Reading::Unknown; other.memories.len()],
                };
                all.extend(readings);
            }
            if answered { Ok(all) } else { Err(reasons.join("; ")) }
        })
    }

    fn remarks(&self) -> Vec<String> {
        let own = self
            .own
            .iter()
            .flat_map(|own| own.sampler.remarks().into_iter().chain(own.missed.remark("the target itself")));
        let others = self.others.iter().flat_map(|other| {
            let label = other.source.label();
            let missing = (!other.missing.is_empty())
                .then(|| format!("{label} has nothing for {}", other.missing.join(", ")));
            missing.into_iter().chain(other.missed.remark(&label))
        });
        own.chain(others).collect()
    }
}

impl Missed {
    /// The answer, if there is one. Why not, is kept where somebody else `answered`; nobody's answer is a look in vain, which
    /// is told as such.
    fn note<T>(&mut self, answer: Result<T, String>, answered: bool, reasons: &mut Vec<String>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(why) => {
                if answered {
                    self.times += 1;
                    self.why.get_or_insert_with(|| why.clone());
                }
                reasons.push(why);
                None
            }
        }
    }

    fn remark(&self, who: &str) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(format!("{who} did not answer {} times, the first time because: {why}", self.times))
    }
}

async fn in_time<T>(clock: &Clock, answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::select! {
        answer = answer => answer,
        () = clock.sleep_until(clock.now() + PATIENCE) => {
            Err(format!("no answer within {:?}", Duration::from_nanos(PATIENCE.0.unsigned_abs())))
        }
    }
}
