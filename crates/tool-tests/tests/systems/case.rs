//! Which suites are there, and what does each run against?

/// A suite's run against its system.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) system: &'static str,
    /// Against the system as it is, not as its load test takes it for.
    pub(crate) actual: bool,
    pub(crate) suite: &'static str,
    /// The program, and what stands before its flags.
    pub(crate) tool: &'static str,
    pub(crate) component: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) flags: &'static [&'static str],
    /// Its ops are called as in the suite that it extends, whatever they ask for.
    pub(crate) renamed: bool,
}

/// A case of one of the tools.
pub(crate) const fn case(
    system: &'static str,
    suite: &'static str,
    tool: &'static str,
    component: &'static str,
) -> Case {
    Case { system, actual: false, suite, tool, component, profile: "contract", flags: &[], renamed: false }
}

pub(crate) const fn api(system: &'static str, suite: &'static str) -> Case {
    case(system, suite, "api-load", "api")
}

const fn ws(system: &'static str, suite: &'static str) -> Case {
    case(system, suite, "ws-load", "ws")
}

const fn actual(case: Case) -> Case {
    Case { actual: true, ..case }
}

/// All of them.
pub(crate) const CASES: &[Case] = &[
    api("novacron", "novacron"),
    api("novacron", "novacron-database"),
    actual(api("novacron", "novacron-actual")),
    case("nova-torch", "nova-torch", "grpc-load", "grpc"),
    api("nova-torch", "nova-torch-health"),
    api("aragora", "aragora"),
    api("aragora", "aragora-auth"),
    api("aragora", "aragora-knowledge"),
    api("aragora", "aragora-gauntlet"),
    api("aragora", "aragora-baseline"),
    api("aragora", "aragora-stress"),
    api("aragora", "aragora-mix"),
    api("aragora", "aragora-rate-limit"),
    api("aragora", "aragora-pipeline"),
    Case { renamed: true, ..actual(api("aragora", "aragora-actual")) },
    api("platform", "platform"),
    api("platform", "platform-visitor"),
    actual(api("platform", "platform-actual")),
    api("megaagent", "megaagent"),
    actual(api("megaagent", "megaagent-actual")),
    ws("novacron", "novacron"),
    actual(ws("novacron", "novacron-actual")),
    ws("aragora", "aragora-websocket"),
    ws("aragora", "aragora-streaming"),
    ws("aragora", "aragora-burst"),
    ws("aragora", "aragora"),
    actual(ws("platform", "platform-actual")),
    actual(ws("aragora", "aragora-actual")),
];

/// What runs in the tests of its own tool: SQL, and a scenario without a profile of its own that is short.
pub(crate) const ELSEWHERE: &[(&str, &str)] =
    &[("novacron", "db.toml"), ("nova-torch-agent-scaling", "grpc.toml")];
