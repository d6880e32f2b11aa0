//! Is a certificate verified unless somebody says otherwise?

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::support::{Service, Tool, pass};

#[test]
fn a_postgres_with_tls_is_trusted_by_its_certificate_only() {
    let Some(service) = Service::start("postgres") else { return };
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let sql = service.sql();
    for (name, pem) in [("server.crt", cert.pem()), ("server.key", signing_key.serialize_pem())] {
        let pem = BASE64_STANDARD.encode(pem);
        sql.run(&format!("COPY (SELECT '{pem}') TO PROGRAM 'umask 077; base64 -d >{name}'"));
    }
    sql.run("ALTER SYSTEM SET ssl = on");
    sql.run("SELECT pg_reload_conf()");
    let url = format!("{}?sslmode=require", service.url());
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), cert.pem()).unwrap();
    let trusting = format!("-n 100 -u 2 --cacert {}", ca.path().display());
    // The server reads its configuration in its own time.
    let mut left = Tool::new("postgres", &url).run(&trusting);
    for _ in 0..50 {
        if left.code == 0 {
            break;
        }
        pass(100);
        left = Tool::new("postgres", &url).run(&trusting);
    }
    assert_eq!(left.code, 0, "{}", left.stderr);
    assert_eq!(left.run().header.plan.args["tls"], "verified");

    Tool::new("postgres", &url).run("-n 100 -u 2 --quiet").is_refused(114, "certificate");
    let left = Tool::new("postgres", &url).run("-n 100 -u 2 --insecure");
    assert_eq!((left.code, left.run().ledger.calls.ok), (0, 100), "{}", left.stderr);
    assert_eq!(left.run().header.plan.args["tls"], "NOT VERIFIED (--insecure)");
}
