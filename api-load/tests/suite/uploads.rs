//! Do files arrive byte for byte?

use crate::{Shop, Speaks, run, tool};

/// Every byte there is, what looks like a placeholder among them.
fn image() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(b"{{seq}} {{ \xff\xfe\r\n--{{nope}}\0");
    bytes
}

#[test]
fn an_image_is_sent_as_curl_sends_it() {
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let (shop, tool) = (Shop::node(speaks), tool());
        let path = tool.folder().join("image.png");
        std::fs::write(&path, image()).unwrap();
        let at = path.display();
        let word = "POST /upload";
        let suite = format!(
            "[[users]]\nname = \"u\"\norder = \"sequence\"\n\
             [[users.tasks]]\nname = \"a\"\nrequest = \"{word}\"\nbody_file = \"image.png\"\n\
             headers = {{ Content-Type = \"image/png\" }}\n\
             [[users.tasks]]\nname = \"b\"\nrequest = \"{word}\"\n\
             multipart = {{ number = \"{{{{int(7, 7)}}}}\", picture = \"@image.png\" }}\n"
        );
        let left = run(&tool, &shop, &suite, "-u 1 -n 10 --no-progress");
        assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        // The same without a suite; the results of one run are enough.
        let url = format!("{}/upload", shop.url);
        for (flag, value) in [("--body-file", format!("{at}")), ("--multipart", format!("picture=@{at}"))] {
            let other = crate::tool();
            let words = ["--url", &url, "-X", "POST", "-u", "1", "-n", "10", flag, &value];
            let number =
                if flag == "--multipart" { &["--multipart", "number={{int(7, 7)}}"][..] } else { &[] };
            // The order of the fields is that of the flags.
            let words = words[..8].iter().chain(number).chain(&words[8..]).copied();
            let left = other.run(words.chain(shop.flags.split_whitespace()));
            assert_eq!(left.code, 0, "{}{}", left.stdout, left.stderr);
        }
        let picture = format!("picture=@{at}");
        let binary = format!("@{at}");
        shop.curl("/upload", &["-F", "number=7", "-F", &picture]);
        shop.curl("/upload", &["--data-binary", &binary, "-H", "Content-Type: image/png"]);
        let bodies = shop.stats()["bodies"].clone();
        let counts: Vec<_> = bodies.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(
            counts,
            [21, 21],
            "two bodies, each ten times from a suite, ten times from flags, once from curl"
        );
    }
}
