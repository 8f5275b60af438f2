#![no_main]

use schemas::{ModelRelease, Timestamp, release::sha256_hex};
use scorer::model::Model;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(mut release) = fuzz::decode_body::<ModelRelease>(bytes) else { return };
    let _ = release.check(&release.cohort, Timestamp(1_700_000_000_000));
    release.onnx.clear();
    // The checksum is no protection: a hostile author computes it too.
    release.sha256 = sha256_hex(&release.onnx);
    let _ = Model::load(release);
});
