#![no_main]

use graph::{Profile, RECIPE_VERSION, Recipe};
use schemas::{Calibration, Manifest, ModelRelease, Timestamp, release::sha256_hex};
use scorer::model::Model;

libfuzzer_sys::fuzz_target!(
    init: {
        // The scorer catches panics of the inference engine.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |onnx: &[u8]| {
        let recipe = Recipe { profile: Profile::Classic, columns: Vec::new() };
        let release = ModelRelease {
            cohort: "web".to_owned(),
            generation: 0,
            created_at: Timestamp(0),
            profile: "classic".to_owned(),
            recipe: RECIPE_VERSION,
            columns: Vec::new(),
            features: i32::try_from(recipe.width()).unwrap_or(0),
            sha256: sha256_hex(onnx),
            onnx: onnx.to_vec(),
            manifest: Manifest::default(),
            calibration: Calibration { threshold: 1.0, ..Calibration::default() },
        };
        let _ = Model::load(release);
    }
);
