//! `docs/configuration.md` is generated from the settings.

#[test]
fn the_reference_of_settings_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == detective::config::manual(), "run `cargo xtask reference`");
}
