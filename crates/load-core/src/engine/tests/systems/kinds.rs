//! Which kinds of users do the documents name, how many to how many, and what do they do how often, how long do they wait?

/// A class of users.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The time between two tasks, seconds: any from the first to the second, each as likely.
    pub(super) waits: (f64, f64),
    /// What it does, by the names of calls, and how often against the rest.
    pub(super) tasks: &'static [(&'static str, u32)],
}

/// Nova-Torch: the part of it that talks over streams. What is `elsewhere` is the registration over gRPC.
pub(super) const NOVA_TORCH: [Kind; 3] = [
    Kind {
        name: "NovaOrchestratorUser",
        waits: (1.0, 5.0),
        tasks: &[
            ("STREAM_SEND nova.torch.tasks.assignments", 5),
            ("STREAM_SEND nova.torch.agents.heartbeat", 8),
            ("STREAM_SEND nova.torch.tasks.completions", 3),
            ("STREAM_SEND nova.torch.collaboration.requests", 2),
            ("elsewhere", 1),
        ],
    },
    Kind {
        name: "NovaAgentUser",
        waits: (2.0, 10.0),
        tasks: &[
            ("STREAM_SEND nova.torch.agents.heartbeat", 10),
            ("STREAM_SEND nova.torch.tasks.completions", 5),
            ("STREAM_SEND nova.torch.collaboration.requests", 2),
        ],
    },
    Kind {
        name: "NovaSystemStressUser",
        waits: (0.1, 1.0),
        tasks: &[("STREAM_SEND nova.torch.stress.test", 1)],
    },
];

/// The part of its orchestrators that registers over gRPC; what is `elsewhere` goes over streams.
pub(super) const NOVA_TORCH_GRPC: [Kind; 1] = [Kind {
    name: "NovaOrchestratorUser",
    waits: (1.0, 5.0),
    tasks: &[("elsewhere", 5 + 8 + 3 + 2), ("GRPC register_agent", 1)],
}];

/// The users of its scenario of collaboration, who wait as agents do.
pub(super) const NOVA_TORCH_COLLABORATION: [Kind; 1] = [Kind {
    name: "CollaborationUser",
    waits: (2.0, 10.0),
    tasks: &[
        ("collaboration_request", 40),
        ("collaboration_response", 30),
        ("task_assignment", 20),
        ("agent_heartbeat", 10),
    ],
}];

/// Aragora, but for its users of WebSockets.
pub(super) const ARAGORA: [Kind; 7] = [
    Kind {
        name: "HealthCheckUser",
        waits: (0.5, 2.0),
        tasks: &[
            ("GET /api/health", 10),
            ("GET /readyz", 5),
            ("GET /healthz", 5),
            ("GET /api/health/detailed", 2),
        ],
    },
    Kind {
        name: "APIBrowsingUser",
        waits: (1.0, 5.0),
        tasks: &[
            ("GET /api/debates?limit=N", 10),
            ("GET /api/debates/:id", 8),
            ("GET /api/leaderboard", 5),
            ("GET /api/system/info", 3),
            ("GET /api/slo/status", 2),
            ("GET /api/debates/search", 3),
        ],
    },
    Kind {
        name: "DebateUser",
        waits: (2.0, 10.0),
        tasks: &[
            ("POST /api/debate", 2),
            ("GET /api/debates/:id (polling)", 5),
            ("GET /api/debates/:id/messages", 3),
        ],
    },
    Kind {
        name: "HeavyLoadUser",
        waits: (0.1, 1.0),
        tasks: &[
            ("GET /api/health (burst)", 5),
            ("GET /api/debates?limit=100", 3),
            ("POST /api/debate (stress)", 2),
            ("GET /api/health/deep", 1),
        ],
    },
    Kind {
        name: "AuthenticationUser",
        waits: (2.0, 8.0),
        tasks: &[
            ("POST /api/auth/login", 3),
            ("POST /api/auth/refresh", 2),
            ("GET /api/auth/session", 1),
            ("GET /api/auth/sso/:provider/authorize", 1),
        ],
    },
    Kind {
        name: "KnowledgeUser",
        waits: (1.0, 5.0),
        tasks: &[
            ("POST /api/knowledge/nodes", 3),
            ("GET /api/knowledge/search", 5),
            ("POST /api/knowledge/query", 2),
            ("GET /api/knowledge/nodes/:id", 1),
        ],
    },
    Kind {
        name: "PipelineUser",
        waits: (2.0, 8.0),
        tasks: &[
            ("POST /api/v1/canvas/pipeline/from-ideas", 3),
            ("POST /api/v1/canvas/pipeline/run", 2),
            ("GET /api/v1/canvas/pipeline/:id/status", 5),
            ("GET /api/v1/canvas/pipeline/:id/graph", 3),
            ("GET /api/v1/canvas/pipeline/:id/receipt", 1),
            ("POST /api/v1/canvas/pipeline/extract-goals", 1),
        ],
    },
];

/// Aragora's users of WebSockets.
pub(super) const ARAGORA_WS: [Kind; 1] =
    [Kind { name: "WebSocketUser", waits: (5.0, 15.0), tasks: &[("ping (control frame)", 1)] }];

/// Aragora's k6 scenario of many readers.
pub(super) const ARAGORA_MIX: [Kind; 1] = [Kind {
    name: "reader",
    waits: (0.5, 2.5),
    tasks: &[
        ("GET /health", 30),
        ("GET /api/v1/agents", 20),
        ("GET /api/v1/agents/rankings", 15),
        ("GET /api/v1/debates", 10),
        ("GET /api/v1/consensus", 10),
        ("GET /metrics", 10),
        ("POST /api/v1/debates", 5),
    ],
}];

/// The platform.
pub(super) const PLATFORM: [Kind; 3] = [
    Kind {
        name: "PlatformUser",
        waits: (1.0, 3.0),
        tasks: &[
            ("GET /health", 3),
            ("GET /api/workspaces", 5),
            ("POST /api/workspaces", 2),
            ("GET /api/workspaces/:id/workflows", 4),
            ("POST /api/workspaces/:id/workflows", 2),
            ("GET /api/workspaces/:id/workflows/:id/executions", 3),
            ("POST /api/workspaces/:id/workflows/:id/execute", 1),
            ("GET /api/workspaces/:id/knowledge/search", 2),
            ("POST /api/workspaces/:id/knowledge", 1),
        ],
    },
    Kind {
        name: "AdminUser",
        waits: (2.0, 5.0),
        tasks: &[
            ("GET /api/admin/metrics", 2),
            ("GET /api/admin/audit-logs?limit=50", 1),
            ("GET /api/admin/users", 1),
            ("GET /api/admin/costs?days=7", 1),
        ],
    },
    Kind {
        name: "HeavyUser",
        waits: (5.0, 10.0),
        tasks: &[
            ("POST /api/generator/project", 1),
            ("GET /api/knowledge/search", 1),
            ("POST /api/analysis/codebase", 1),
        ],
    },
];

/// MegaAgent Pro.
pub(super) const MEGAAGENT: [Kind; 2] = [
    Kind {
        name: "AgentAPIUser",
        waits: (1.0, 3.0),
        tasks: &[
            ("POST /api/v1/agent/query", 10),
            ("POST /api/v1/cases", 5),
            ("GET /api/v1/cases/:id", 8),
            ("POST /api/v1/documents/generate", 3),
            ("GET /api/v1/cases/search", 2),
            ("POST /api/v1/validate", 4),
        ],
    },
    Kind { name: "HeavyAPIUser", waits: (5.0, 10.0), tasks: &[("POST /api/v1/analyze", 1)] },
];
