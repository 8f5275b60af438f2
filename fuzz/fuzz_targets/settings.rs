#![no_main]

use scorer::settings::Config;
use service::Sources;

// Values of the environment and of flags, which take the same way as those of a file.
libfuzzer_sys::fuzz_target!(|text: &str| {
    let pairs: Vec<(String, String)> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect();
    let environment = pairs.iter().map(|(key, value)| (format!("DETECTIVE__{key}"), value.clone())).collect();
    let _ = service::load::<Config>(Sources { environment, flags: pairs, ..Sources::default() });
});
