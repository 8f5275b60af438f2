#![no_main]

use scorer::settings::Config;
use service::Sources;

// A line is a variable of the environment if it begins like one, and a flag otherwise.
libfuzzer_sys::fuzz_target!(|text: &str| {
    let (environment, flags) = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .partition(|(key, _)| key.starts_with("DETECTIVE__"));
    let _ = service::load::<Config>(Sources { environment, flags, ..Sources::default() });
});
