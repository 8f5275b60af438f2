//! What a sweep asks of the kernel and the clock, one question after another: live, written down as it is answered, or answered from
//! what was written down.
//!
//! Given the same answers a sweep makes the same snapshot to the byte. So everything that a sweep does not compute goes through here,
//! in an order that is the same whenever the answers are.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use schemas::{
    RawRead, Timestamp,
    container::{Reader, Writer},
};

use crate::{clock, error::HostReadError, seen::Seen};

/// Where answers come from. Clones share one tape.
#[derive(Clone, Default)]
pub struct Tape(Mode);

#[derive(Clone, Default)]
enum Mode {
    #[default]
    Live,
    Recording(Arc<Mutex<Recorder>>),
    Playing(Arc<Mutex<Player>>),
}

struct Recorder {
    out: Writer<RawRead, Box<dyn Write + Send>>,
    // Moments are told as nanoseconds from here.
    began: Instant,
    failure: Option<HostReadError>,
}

struct Player {
    answers: Box<dyn Iterator<Item = Result<RawRead, HostReadError>> + Send>,
    began: Instant,
    // Which version of Local Detective asked.
    made_by: String,
    is_within_sweep: bool,
    failure: Option<HostReadError>,
}

/// A value that is written down as whole numbers.
pub trait TapeValue: Sized {
    /// The value in numbers.
    fn to_numbers(&self) -> Vec<i64>;
    /// The value of numbers, if they are such.
    fn from_numbers(numbers: &[i64]) -> Option<Self>;
}

impl Tape {
    /// Writes down what is asked and answered.
    ///
    /// # Errors
    /// If nothing can be written.
    pub fn record_to(out: Box<dyn Write + Send>) -> Result<Tape, HostReadError> {
        let out = Writer::create(out)?;
        Ok(Tape(Mode::Recording(Arc::new(Mutex::new(Recorder { out, began: clock::monotonic(), failure: None })))))
    }

    /// Answers from what was written down, and asks nobody.
    ///
    /// # Errors
    /// If it is no such file.
    pub fn play_from<F: Read + Seek + Send + 'static>(file: F) -> Result<Tape, HostReadError> {
        let answers = Box::new(Answers { reader: Reader::open(file)?, block: Vec::new().into_iter() });
        let (made_by, is_within_sweep) = ("unknown".to_owned(), false);
        let player = Player { answers, began: clock::monotonic(), made_by, is_within_sweep, failure: None };
        Ok(Tape(Mode::Playing(Arc::new(Mutex::new(player)))))
    }

    /// Answers from that file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &std::path::Path) -> Result<Tape, HostReadError> {
        let file = File::open(path).map_err(|source| HostReadError::Read { path: path.to_owned(), source })?;
        Tape::play_from(file)
    }

    /// Whether nothing is written down or played back.
    pub fn is_live(&self) -> bool {
        matches!(self.0, Mode::Live)
    }

    /// An answer in bytes, which are put into `buffer`.
    pub fn bytes(
        &self,
        question: &str,
        name: &str,
        buffer: &mut Vec<u8>,
        ask: impl FnOnce(&mut Vec<u8>) -> Seen<()>,
    ) -> Seen<()> {
        match &self.0 {
            Mode::Live => ask(buffer),
            Mode::Recording(recorder) => {
                let seen = ask(buffer);
                let bytes = if seen == Seen::Here(()) { buffer.clone() } else { Vec::new() };
                locked(recorder).note(question, name, &seen, bytes, Vec::new());
                seen
            }
            Mode::Playing(player) => {
                let Some(answer) = locked(player).next(question, name) else { return Seen::Gone };
                buffer.clear();
                buffer.extend_from_slice(&answer.bytes);
                seen_of(&answer.answer)
            }
        }
    }

    /// An answer in numbers.
    pub fn value<T: TapeValue>(&self, question: &str, name: &str, ask: impl FnOnce() -> Seen<T>) -> Seen<T> {
        match &self.0 {
            Mode::Live => ask(),
            Mode::Recording(recorder) => {
                let seen = ask();
                let numbers = seen.as_ref().map(TapeValue::to_numbers).here().unwrap_or_default();
                locked(recorder).note(question, name, &seen, Vec::new(), numbers);
                seen
            }
            Mode::Playing(player) => {
                let Some(answer) = locked(player).next(question, name) else { return Seen::Gone };
                seen_of(&answer.answer)
                    .and_then(|()| T::from_numbers(&answer.numbers).map_or(Seen::Unsupported, Seen::Here))
            }
        }
    }

    /// A text that is always there.
    pub fn text(&self, question: &str, ask: impl FnOnce() -> String) -> String {
        let mut buffer = Vec::new();
        let answer = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(ask().as_bytes());
            Seen::Here(())
        };
        self.bytes(question, "", &mut buffer, answer);
        crate::parse::text(&buffer)
    }

    /// The time of day.
    pub fn wall_clock(&self) -> Timestamp {
        self.value("wall-clock", "", || Seen::Here(clock::wall_clock())).here().unwrap_or(Timestamp(0))
    }

    /// A time that never goes back.
    pub fn monotonic_clock(&self) -> Instant {
        let began = match &self.0 {
            Mode::Live => return clock::monotonic(),
            Mode::Recording(recorder) => locked(recorder).began,
            Mode::Playing(player) => locked(player).began,
        };
        let since = self.value("clock", "", || Seen::Here(clock::monotonic().duration_since(began)));
        began + since.here().unwrap_or_default()
    }

    /// The time that this thread has had on a CPU.
    pub fn thread_cpu_time(&self) -> Duration {
        self.value("thread-cpu", "", || Seen::Here(clock::thread_cpu_time())).here().unwrap_or_default()
    }

    /// Whether answers come from what was written down.
    pub fn is_playback(&self) -> bool {
        matches!(self.0, Mode::Playing(_))
    }

    /// Which version of Local Detective wrote down what is played back, for messages.
    pub fn set_recorder_version(&self, version: &str) {
        if let Mode::Playing(player) = &self.0 {
            version.clone_into(&mut locked(player).made_by);
        }
    }

    /// How many bytes of what was written down are in whole blocks: what follows them in the file is not to be used.
    pub fn complete_bytes(&self) -> u64 {
        match &self.0 {
            Mode::Recording(recorder) => locked(recorder).out.bytes_written(),
            Mode::Live | Mode::Playing(_) => 0,
        }
    }

    /// To be called after each sweep: what was written down is on its way to the file, and what was played back fitted.
    ///
    /// # Errors
    /// If it could not be written, has come to its end, or other questions were asked than when it was written down.
    pub fn finish_sweep(&self) -> Result<(), HostReadError> {
        let failure = match &self.0 {
            Mode::Live => None,
            Mode::Recording(recorder) => locked(recorder).finish_block(),
            Mode::Playing(player) => locked(player).finish_sweep(),
        };
        failure.map_or(Ok(()), Err)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    fn note<T>(&mut self, question: &str, name: &str, seen: &Seen<T>, bytes: Vec<u8>, numbers: Vec<i64>) {
        let (question, name, answer) = (question.to_owned(), name.to_owned(), word_of(seen).to_owned());
        if let Err(error) = self.out.append(&RawRead { question, name, answer, bytes, numbers }) {
            self.failure.get_or_insert(error.into());
        }
    }

    fn finish_block(&mut self) -> Option<HostReadError> {
        if let Err(error) = self.out.finish_block() {
            self.failure.get_or_insert(error.into());
        }
        self.failure.take()
    }
}

impl Player {
    fn next(&mut self, question: &str, name: &str) -> Option<RawRead> {
        if self.failure.is_some() {
            return None;
        }
        match self.answers.next() {
            Some(Ok(answer)) if answer.question == question && answer.name == name => {
                self.is_within_sweep = true;
                return Some(answer);
            }
            Some(Ok(answer)) => {
                let named = |question: &str, name: &str| format!("{question} {name}").trim_end().to_owned();
                let (expected, found) = (named(question, name), named(&answer.question, &answer.name));
                self.failure = Some(HostReadError::TapeMismatch { expected, found, made_by: self.made_by.clone() });
            }
            Some(Err(error)) => self.failure = Some(error),
            None if self.is_within_sweep => self.failure = Some(HostReadError::TruncatedTape),
            None => self.failure = Some(HostReadError::EndOfTape),
        }
        None
    }

    fn finish_sweep(&mut self) -> Option<HostReadError> {
        self.is_within_sweep = false;
        self.failure.take()
    }
}

/// The records of a file, a block at a time.
struct Answers<F> {
    reader: Reader<RawRead, F>,
    block: std::vec::IntoIter<RawRead>,
}

impl<F: Read + Seek> Answers<F> {
    fn next_block(&mut self) -> Result<bool, HostReadError> {
        let Some(block) = self.reader.next_block()? else { return Ok(false) };
        let records: Result<Vec<_>, _> =
            self.reader.records(&block).map(|read| read.map(|(_, record)| record)).collect();
        self.block = records?.into_iter();
        Ok(true)
    }
}

impl<F: Read + Seek> Iterator for Answers<F> {
    type Item = Result<RawRead, HostReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(answer) = self.block.next() {
                return Some(Ok(answer));
            }
            match self.next_block() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn word_of<T>(seen: &Seen<T>) -> &'static str {
    match seen {
        Seen::Here(_) => "here",
        Seen::Gone => "gone",
        Seen::Denied => "denied",
        Seen::Unsupported => "unsupported",
        Seen::Late => "late",
    }
}

fn seen_of(word: &str) -> Seen<()> {
    match word {
        "here" => Seen::Here(()),
        "gone" => Seen::Gone,
        "denied" => Seen::Denied,
        "late" => Seen::Late,
        _ => Seen::Unsupported,
    }
}

impl TapeValue for () {
    fn to_numbers(&self) -> Vec<i64> {
        Vec::new()
    }

    fn from_numbers(_: &[i64]) -> Option<()> {
        Some(())
    }
}

impl TapeValue for u64 {
    fn to_numbers(&self) -> Vec<i64> {
        vec![self.cast_signed()]
    }

    fn from_numbers(numbers: &[i64]) -> Option<u64> {
        numbers.first().map(|number| number.cast_unsigned())
    }
}

impl TapeValue for Vec<u32> {
    fn to_numbers(&self) -> Vec<i64> {
        self.iter().copied().map(i64::from).collect()
    }

    fn from_numbers(numbers: &[i64]) -> Option<Vec<u32>> {
        numbers.iter().map(|number| u32::try_from(*number).ok()).collect()
    }
}

impl TapeValue for Timestamp {
    fn to_numbers(&self) -> Vec<i64> {
        vec![self.0]
    }

    fn from_numbers(numbers: &[i64]) -> Option<Timestamp> {
        numbers.first().copied().map(Timestamp)
    }
}

impl TapeValue for Duration {
    fn to_numbers(&self) -> Vec<i64> {
        vec![i64::try_from(self.as_nanos()).unwrap_or(i64::MAX)]
    }

    fn from_numbers(numbers: &[i64]) -> Option<Duration> {
        u64::try_from(*numbers.first()?).ok().map(Duration::from_nanos)
    }
}
