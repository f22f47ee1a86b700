//! Certificates for one server, made by the `openssl` program.

use std::path::Path;
use std::process::Command;

/// The certificate of who signed the server's.
pub(super) const AUTHORITY: &str = "authority.pem";

/// What is told to a server, and the files.
pub(super) const FILES: [(&str, &str); 3] = [
    ("tls-ca-cert-file", AUTHORITY),
    ("tls-cert-file", "server.pem"),
    ("tls-key-file", "server.key"),
];

/// Makes them in a folder, for `localhost` and 127.0.0.1.
pub(super) fn make(folder: &Path) {
    let authority = ["-subj", "/CN=tests of keyedcache", "-keyout", "authority.key"];
    openssl(folder, &[&authority[..], &["-out", AUTHORITY]].concat());
    let server = [
        ["-subj", "/CN=localhost"],
        ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        ["-addext", "basicConstraints=critical,CA:FALSE"],
        ["-CA", AUTHORITY],
        ["-CAkey", "authority.key"],
        ["-keyout", "server.key"],
        ["-out", "server.pem"],
    ];
    openssl(folder, &server.concat());
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]);
    openssl.args(["-pkeyopt", "ec_paramgen_curve:prime256v1"]).args(arguments);
    let output = openssl.current_dir(folder).output().expect("openssl is installed");
    assert!(output.status.success(), "{openssl:?}: {}", String::from_utf8_lossy(&output.stderr));
}
