//! The list of faults for people.

use expect_test::expect_file;
use faults::shown;

#[test]
fn faults_are_listed_by_family() {
    expect_file!["faults.txt"].assert_eq(&shown::list(|_| true));
}
