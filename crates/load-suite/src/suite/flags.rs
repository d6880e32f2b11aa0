//! How does a profile look on a command line, and how does a smaller one of the same shape?

use std::time::Duration;

use crate::stage::Stage;
use crate::units;

use super::profile::Profile;

impl Profile {
    /// The same shape with all its times by `time` and all its users, or arrivals a second, by `users`; of something
    /// there is at least one left. What is made once is made once.
    #[must_use]
    pub fn scaled(mut self, time: f64, users: f64) -> Self {
        if self.once {
            return self;
        }
        let longer = |duration: Duration| scaled_time(duration, time);
        let more = |n: u64| if n == 0 { 0 } else { ((n as f64 * users).round() as u64).max(1) };
        self.duration = self.duration.map(longer);
        self.warmup = self.warmup.map(longer);
        self.vus = self.vus.map(more);
        self.max_vus = self.max_vus.map(more);
        self.connections = self.connections.map(more);
        self.rate = self.rate.map(|rate| rate * users);
        self.spawn_rate = self.spawn_rate.map(|rate| rate * users / time);
        let open = self.rate.is_some();
        for Stage { duration, target, .. } in &mut self.stages {
            *duration = longer(*duration);
            *target = if open { *target * users } else { more(*target as u64) as f64 };
        }
        self
    }

    /// The flags that say the same to a tool without a suite.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut say = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                flags.extend([flag.to_owned(), value]);
            }
        };
        say("--vus", self.vus.map(|n| n.to_string()));
        say("--spawn-rate", self.spawn_rate.map(|rate| rate.to_string()));
        say("--rate", self.rate.map(|rate| rate.to_string()));
        let arrivals = |poisson: bool| if poisson { "poisson" } else { "constant" }.to_owned();
        say("--arrivals", self.poisson.map(arrivals));
        say("--max-vus", self.max_vus.map(|n| n.to_string()));
        say("--connections", self.connections.map(|n| n.to_string()));
        say("--duration", self.duration.map(units::written));
        say("--requests", self.requests.map(|n| n.to_string()));
        for stage in &self.stages {
            say("--stage", Some(stage.to_string()));
        }
        say("--warmup", self.warmup.map(units::written));
        say("--timeout", self.timeout.map(units::written));
        say("--graceful-stop", self.graceful_stop.map(units::written));
        for threshold in &self.thresholds {
            say("--threshold", Some(threshold.value.clone()));
        }
        flags
    }
}

/// `duration` times `factor`; as it is where that is no time.
pub fn scaled_time(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}
