//! Checks the lengths of files and crates.

use crate::source_file::SourceFile;

const MOST_LINES: usize = 400;
const MOST_LINES_OF_MAIN: usize = 60;
/// Above this median the summary warns.
const MOST_LINES_MEDIAN: usize = 160;
const MOST_LINES_OF_CRATE: usize = 9000;
/// Crates that have a lower limit: the command line only parses, calls and prints.
const MOST_LINES_OF: [(&str, usize); 1] = [("detective", 2500)];

/// Checks each file, tests included.
pub fn check_files(files: &[SourceFile], problems: &mut Vec<String>) {
    for file in files {
        let most = if file.path.ends_with("src/main.rs") { MOST_LINES_OF_MAIN } else { MOST_LINES };
        let lines = file.line_count();
        if lines > most {
            problems.push(format!("{}: {lines} lines, expected at most {most}; split it", file.path));
        }
    }
}

/// Checks the sum of the lines in `src`.
pub fn check_crate(name: &str, files: &[SourceFile], problems: &mut Vec<String>) {
    let folder = format!("{name}/src/");
    let lines: usize = files.iter().filter(|file| file.path.starts_with(&folder)).map(SourceFile::line_count).sum();
    let most =
        MOST_LINES_OF.iter().find(|(limited, _)| *limited == name).map_or(MOST_LINES_OF_CRATE, |(_, most)| *most);
    if lines > most {
        problems.push(format!("{folder}: {lines} lines, expected at most {most}"));
    }
}

/// The median length of the files, in words.
pub fn describe_median(files: &[SourceFile]) -> String {
    let mut lines: Vec<usize> = files.iter().map(SourceFile::line_count).collect();
    lines.sort_unstable();
    let median = lines.get(lines.len() / 2).copied().unwrap_or(0);
    let warning = if median > MOST_LINES_MEDIAN { "warning: " } else { "" };
    format!("{warning}median length of a source file: {median} lines, expected at most {MOST_LINES_MEDIAN}")
}
