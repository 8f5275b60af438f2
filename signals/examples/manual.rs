//! Prints `docs/signals.md`.

fn main() {
    print!("{}", signals::manual::render());
}
