//! What is linked where: the relay has no code that opens letters, and TLS is one library's.

use std::process::Command;

/// What `cargo tree` lists, one crate a line, as `name vX.Y.Z`.
fn tree(args: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--edges"])
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

fn has(tree: &[String], name: &str) -> bool {
    tree.iter().any(|line| line.split(' ').next() == Some(name))
}

#[test]
fn the_relay_has_no_code_that_seals_or_opens() {
    let relay = tree(&["normal,build", "-p", "jiashu-server"]);

    assert!(has(&relay, "jiashu-roster"), "{relay:#?}");
    for name in ["jiashu-seal", "hpke", "aes-gcm", "p256"] {
        assert!(!has(&relay, name), "the relay depends on {name}");
    }
}

#[test]
fn openssl_native_tls_and_aws_lc_are_nowhere() {
    let all = tree(&["normal,build,dev", "--workspace"]);

    assert!(has(&all, "rustls"), "{all:#?}");
    for name in ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"] {
        assert!(!has(&all, name), "{name} is in the tree");
    }
}
