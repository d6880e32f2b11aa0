//! How long does it take to read a small answer? In one piece with the same head as the last one, as it comes as a rule,
//! with another head, and cut in two.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load_net::http::codec::{Codec, Progress};

const SMALL: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.26.3\r\nDate: Mon, 21 Sep 2026 02:55:00 GMT\r\n\
    Content-Type: application/octet-stream\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\nhello world\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.26.3\r\nDate: Mon, 21 Sep 2026 02:55:00 GMT\r\n\
    Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nhello world\n\r\n0\r\n\r\n";

fn read(codec: &mut Codec, pieces: &[&[u8]]) -> u64 {
    let mut body = 0;
    codec.begin(true);
    for piece in pieces {
        if let Ok(Progress::Done { .. }) =
            codec.feed(black_box(piece), &mut |data: &[u8]| body += data.len() as u64)
        {
            return body;
        }
    }
    0
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let mut codec = Codec::new(1 << 30);
    for (name, answer) in [("small", SMALL), ("chunked", CHUNKED)] {
        group.throughput(Throughput::Bytes(answer.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| read(&mut codec, &[answer])));
        let other = String::from_utf8_lossy(answer).replace("02:55:00", "02:55:01");
        group.bench_function(format!("{name}, another head than before"), |bencher| {
            let mut turn = false;
            bencher.iter(|| {
                turn = !turn;
                read(&mut codec, &[if turn { answer } else { other.as_bytes() }])
            });
        });
        let halves = answer.split_at(answer.len() / 2);
        group.bench_function(format!("{name} cut in two"), |bencher| {
            bencher.iter(|| read(&mut codec, &[halves.0, halves.1]));
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
