//! Compressed answers: asked for, and decompressed where one looks at them.

use load_report::fault::FaultKind;

use crate::client::{Client, run};
use crate::site::{Site, answer};

/// `zlib.brotliCompressSync("Brotli Brotli Brotli Brotli")` of Node.js.
const BROTLI: &[u8] = &[
    0x1b, 0x1a, 0x00, 0xf8, 0x1d, 0xa9, 0x53, 0x9f, 0x3b, 0x74, 0x29, 0xf4, 0x26, 0x57, 0x20, 0x74, 0x95,
    0xc6, 0x16, 0xf3, 0x44, 0x02, 0x75, 0x03,
];

/// Brotli, of which only so many bytes come, or an unknown coding.
fn site(coding: &'static str, bytes: usize) -> Site {
    Site::start(move |_| answer("200 OK", &format!("Content-Encoding: {coding}\r\n"), &BROTLI[..bytes]))
}

#[test]
fn what_is_looked_at_is_decompressed() {
    let site = site("br", BROTLI.len());
    run(async {
        let flags = ["--url", &site.url("/"), "--compressed", "--expect-text", "Brotli Brotli Brotli Brotli"];
        let mut client = Client::new(&flags).await;
        for _ in 0..3 {
            assert!(!client.call().await.unwrap().ends_session);
        }
    });
    assert!(site.requests()[0].1.contains("\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"));
}

#[test]
fn without_the_flag_nothing_is_asked_for_or_decompressed() {
    let site = site("br", BROTLI.len());
    run(async {
        let mut client = Client::new(&["--url", &site.url("/"), "--expect-text", "Brotli"]).await;
        assert_eq!(client.call().await.unwrap_err().kind, FaultKind::Wrong);
    });
    assert!(!site.requests()[0].1.contains("Accept-Encoding"));
}

#[test]
fn what_is_broken_is_told_if_one_looks() {
    for (coding, bytes, flags, kind, said) in [
        ("br", 9, &[][..], FaultKind::Malformed, "is not compressed as"),
        ("gzip", 9, &[], FaultKind::Malformed, "ends too early"),
        ("gzip", 24, &[], FaultKind::Malformed, "is not compressed as"),
        ("zip", 9, &[], FaultKind::Malformed, "none of gzip, deflate, br and zstd"),
        ("br", BROTLI.len(), &["--max-body", "25"], FaultKind::TooLarge, "the decompressed body exceeds"),
    ] {
        let site = site(coding, bytes);
        run(async {
            let base = ["--url", &site.url("/"), "--compressed"];
            let looks = [&base[..], &["--expect-text", "x"], flags].concat();
            let mut client = Client::new(&looks).await;
            let fault = client.call().await.unwrap_err();
            assert_eq!((fault.kind, fault.ends_session), (kind, true), "{}", client.note);
            assert!(client.note.contains(said), "{}", client.note);
            Client::new(&base).await.call().await.unwrap();
        });
    }
}
