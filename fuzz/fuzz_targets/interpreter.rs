#![no_main]

use hostread::parse::interpreter::Interpreter;

libfuzzer_sys::fuzz_target!(|arguments: &[u8]| {
    let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == 0).collect();
    for program in ["python3", "perl", "ruby", "node", "bash", "php", "java"] {
        let _ = Interpreter::from_name(program).and_then(|interpreter| interpreter.script(&arguments));
    }
});
