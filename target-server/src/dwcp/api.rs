//! What does the migration API answer? `NovaCron`'s job API: orders, looks, lists, statistics.

use std::rc::Rc;

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    DwcpContext,
    jobs::{Job, Status},
};
use crate::{clock::now_ns, script::DwcpHow};

const ROOT: &str = "/api/v1/dwcp";
/// Jobs in a list, unless the client wants less.
const MOST_LISTED: usize = 100;

type Answer = (StatusCode, Value);

/// The one field of an order that the server needs.
#[derive(Deserialize)]
struct Order {
    vm_id: String,
}

/// Answers a request that is no upgrade.
pub(super) async fn answer(
    dwcp: Rc<DwcpContext>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let arrived_ns = now_ns();
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().strip_prefix(ROOT).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default();
    let (status, json) = match (&head.method, path.trim_start_matches('/')) {
        (&Method::POST, "migrations") => order(&dwcp, &body, arrived_ns).await,
        (&Method::GET, "migrations") => list(&dwcp, query),
        (&Method::GET, "stats") => stats(&dwcp),
        (&Method::GET, "version") => {
            dwcp.context.record.dwcp.state().report.versions += 1;
            (StatusCode::OK, json!({ "version": "3.0.0", "protocol": "dwcp-v3" }))
        }
        (&Method::GET, path) if path.starts_with("migrations/") => look(&dwcp, &path["migrations/".len()..]),
        _ => {
            dwcp.context.record.dwcp.state().report.others += 1;
            (StatusCode::NOT_FOUND, json!({ "error": "no such path" }))
        }
    };
    let mut response = Response::new(Full::from(json.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn order(dwcp: &DwcpContext, body: &[u8], arrived_ns: u64) -> Answer {
    let (context, record) = (&dwcp.context, &dwcp.context.record.dwcp);
    let n = {
        let mut state = record.state();
        state.report.posts += 1;
        state.orders += 1;
        state.orders - 1
    };
    let fate = context.script.dwcp.fate(context.script.seed, n);
    if fate.accept_ns > 0 {
        context.timer.until(arrived_ns + fate.accept_ns).await;
    }
    let Ok(Order { vm_id }) = serde_json::from_slice(body) else {
        record.state().report.bad_orders += 1;
        return (StatusCode::BAD_REQUEST, json!({ "error": "expected JSON with a vm_id" }));
    };
    let mut state = record.state();
    if let Some(DwcpHow::Reject(status)) = fate.how {
        *state.report.rejected.entry(status).or_default() += 1;
        let status = StatusCode::from_u16(status).unwrap_or_default();
        return (status, json!({ "error": "rejected as scripted" }));
    }
    state.report.accepted += 1;
    match fate.how {
        Some(DwcpHow::Lose) => state.report.lost += 1,
        Some(DwcpHow::Duplicate) => state.report.duplicated += 1,
        _ => {}
    }
    let (id, made) = state.jobs.order(&vm_id, fate, arrived_ns);
    for job in made {
        dwcp.tell(job);
    }
    (StatusCode::ACCEPTED, json!({ "job_id": id, "vm_id": vm_id, "status": "pending" }))
}

fn look(dwcp: &DwcpContext, id: &str) -> Answer {
    let mut state = dwcp.context.record.dwcp.state();
    state.report.looks += 1;
    if let Some(job) = state.jobs.find(id) {
        return (StatusCode::OK, shown(job, now_ns()));
    }
    state.report.unknown += 1;
    (StatusCode::NOT_FOUND, json!({ "error": "no such migration", "job_id": id }))
}

fn shown(job: &Job, now_ns: u64) -> Value {
    let status = job.status(now_ns);
    let mut shown = json!({
        "job_id": job.id,
        "vm_id": job.vm_id,
        "status": status,
        "progress": job.progress(now_ns),
    });
    if status == Status::Completed {
        shown["data_loss"] = job.has_data_loss().into();
    }
    shown
}

fn list(dwcp: &DwcpContext, query: &str) -> Answer {
    let given = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
    };
    let (status, vm_id) = (given("status").filter(|text| !text.is_empty()), given("vm_id"));
    let limit = given("limit").and_then(|text| text.parse().ok()).unwrap_or(MOST_LISTED).min(MOST_LISTED);
    let now = now_ns();
    let mut state = dwcp.context.record.dwcp.state();
    state.report.lists += 1;
    let wanted = |job: &&Job| {
        status.is_none_or(|status| job.status(now).name() == status)
            && vm_id.is_none_or(|vm_id| job.vm_id == vm_id)
    };
    let jobs: Vec<_> =
        state.jobs.newest_first().filter(wanted).take(limit).map(|job| shown(job, now)).collect();
    (StatusCode::OK, json!({ "count": jobs.len(), "migrations": jobs }))
}

fn stats(dwcp: &DwcpContext) -> Answer {
    let now = now_ns();
    let mut state = dwcp.context.record.dwcp.state();
    state.report.stats += 1;
    let count = |wanted: Status| state.jobs.count(now, |status, _| status == wanted);
    let active = state.jobs.count(now, |status, _| !status.is_final());
    let (completed, failed) = (count(Status::Completed), count(Status::Failed));
    (
        StatusCode::OK,
        json!({ "active_migrations": active, "completed_migrations": completed, "failed_migrations": failed }),
    )
}
