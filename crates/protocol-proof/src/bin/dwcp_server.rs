//! What does a job server answer? A job advances with every look at it; `GET /truth` tells what was asked.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

const JOBS: &str = "/api/v1/dwcp/migrations";

/// What was asked so far; `jobs[id]` are the looks that the job still needs.
#[derive(Default)]
struct State {
    posts: u64,
    looks: u64,
    completed: u64,
    jobs: Vec<u64>,
}

impl State {
    fn answer(&mut self, method: &Method, path: &str) -> (StatusCode, Value) {
        if path == "/truth" {
            let truth = json!({ "posts": self.posts, "looks": self.looks, "completed": self.completed });
            return (StatusCode::OK, truth);
        }
        if method == Method::POST && path == JOBS {
            self.posts += 1;
            self.jobs.push(self.posts % 4);
            return (StatusCode::ACCEPTED, json!({ "job_id": format!("job-{}", self.jobs.len() - 1) }));
        }
        self.looks += 1;
        let id = path.strip_prefix(JOBS).and_then(|rest| rest.strip_prefix("/job-"));
        let id = id.and_then(|id| id.parse::<usize>().ok());
        match id.and_then(|id| self.jobs.get_mut(id)) {
            None => (StatusCode::NOT_FOUND, json!({ "error": "no such job" })),
            Some(0) => {
                self.completed += 1;
                (StatusCode::OK, json!({ "status": "completed", "data_loss": false }))
            }
            Some(left) => {
                *left -= 1;
                (StatusCode::OK, json!({ "status": "in_progress" }))
            }
        }
    }
}

async fn serve(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let (status, json) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.answer(&head.method, head.uri.path())
    };
    let mut response = Response::new(Full::from(json.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<Infallible> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let state = Arc::new(Mutex::new(State::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&state), request));
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}
