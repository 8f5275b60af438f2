//! The text of `fault list`.

use expect_test::expect_file;
use faults::listing;

#[test]
fn faults_are_listed_by_family() {
    expect_file!["faults.txt"].assert_eq(&listing::list(|_| true));
}
